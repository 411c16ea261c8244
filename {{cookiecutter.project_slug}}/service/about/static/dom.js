// Small steps that several modules take with the elements of the page.

// The controls in a part of the page, but for those of its templates.
export const named = (part) => [...part.querySelectorAll("[data-name]")];

// Call with the file that is chosen in a part of the page, or dropped on it.
export function picked(part, take) {
  part.addEventListener("change", ({ target: { files } }) => files?.[0] && take(files[0]));
  const over = ({ type }) => part.classList.toggle("over", type === "dragover");
  for (const kind of ["dragover", "dragleave", "drop"]) part.addEventListener(kind, over);
  part.addEventListener("drop", ({ dataTransfer: { files } }) => files[0] && take(files[0]));
}

// A file that is dropped must not replace the page; but a control for files takes it.
for (const kind of ["dragover", "drop"])
  addEventListener(kind, (event) => event.target.type === "file" || event.preventDefault());
