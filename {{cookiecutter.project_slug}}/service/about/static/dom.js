// Small steps that several modules take with the elements of the page.

// The controls in a part of the page, but for those of its templates.
export const named = (part) => [...part.querySelectorAll("[data-name]")];

// Tell the page that what a control says has changed.
export const announce = (control) => control.dispatchEvent(new Event("input", { bubbles: true }));

// Call with the files that are dropped on a part of the page.
export function dropped(part, take) {
  const over = ({ type }) => part.classList.toggle("over", type === "dragover");
  for (const kind of ["dragover", "dragleave", "drop"]) part.addEventListener(kind, over);
  part.addEventListener("drop", ({ dataTransfer: { files } }) => files.length && take(files));
}
// A file that is dropped must not replace the page.
for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault());

// Call with the file that is chosen in a part of the page, or dropped on it.
export function picked(part, take) {
  part.addEventListener("change", ({ target: { files } }) => files?.[0] && take(files[0]));
  dropped(part, ([file]) => take(file));
}
