// Small steps that several modules take with the elements of the page.

export function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// The controls in a part of the page, by the name of a field.
export const named = (part) => [...part.querySelectorAll("[data-name]")];

// Tell the page that what a control says has changed.
export const announce = (control) => control.dispatchEvent(new Event("input", { bubbles: true }));

// Call with the files that are dropped on a part of the page.
export function dropped(part, take) {
  const over = (isOver) => part.classList.toggle("over", isOver);
  part.addEventListener("dragover", () => over(true));
  part.addEventListener("dragleave", () => over(false));
  part.addEventListener("drop", ({ dataTransfer: { files } }) => {
    over(false);
    if (files.length) take(files);
  });
}
// A file that is dropped must not replace the page.
for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault());

// The control that a path into what is sent leads to, and what of the path is below it.
export function leadsTo(controls, path) {
  const control = controls.find(({ dataset }) => `${path}.`.startsWith(`${dataset.name}.`));
  return control && { control, below: path.slice(control.dataset.name.length + 1) };
}
