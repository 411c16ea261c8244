// Small steps that several modules take with the elements of the page.

// A copy of an element, filled. Each of its elements with data-each is there once for each item of
// a list; data-set says what of the item is its text, or an attribute.
function filled(element, data) {
  const made = element.cloneNode();
  for (const said of made.dataset?.set?.split(" ") ?? []) {
    const [key, attribute] = said.split(":");
    if (attribute) made.setAttribute(attribute, data[key] ?? "");
    else made.append(key ? (data[key] ?? "") : data);
  }
  for (const child of element.childNodes) {
    const list = child.dataset?.each;
    const items = list ? [data[list] || []].flat() : [data];
    for (const item of items) made.append(filled(child, item));
  }
  return made;
}

// A copy of the element in a template of the page.
export const make = (name, data) =>
  filled(document.getElementById(`of-${name}`).content.firstElementChild, data);

// The controls in a part of the page, but for those of its templates.
export const named = (part) => [...part.querySelectorAll("[data-name]")];

// Call with the file that is chosen in a part of the page, or dropped on it.
export function picked(part, take) {
  const given = ({ target, dataTransfer }) => (dataTransfer ?? target).files?.[0];
  for (const kind of ["change", "drop"])
    part.addEventListener(kind, (event) => given(event) && take(given(event)));
}

// A file that is dropped must not replace the page; but a control for files takes it.
for (const kind of ["dragover", "drop"])
  addEventListener(kind, (event) => event.target.type === "file" || event.preventDefault());
