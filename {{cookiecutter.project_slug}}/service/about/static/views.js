// Handier views of controls. A view of records writes what it says into its control, which alone is
// sent; where the control holds what the view cannot say, the control itself is shown.

import { named } from "./dom.js";
import { read } from "./json.js";
import { Table } from "./table.js";
import { fill, object } from "./values.js";

const views = new WeakMap(); // by control

// A check box in the place of a choice of true or false.
function check(choice) {
  const box = document.createElement("input");
  for (const { name, value } of choice.attributes) box.setAttribute(name, value);
  Object.assign(box, { type: "checkbox", required: false, checked: choice.value === "true" });
  box.setAttribute("value", choice.value);
  choice.replaceWith(box);
  return box;
}

// The browser's picker beside a text, which says more than the picker can: fractions and zones.
function picker(control) {
  const [native, button] = control.nextElementSibling.content.children;
  const zone = /(Z|[+-]\d\d:?\d\d)$/i;
  button.addEventListener("click", () => {
    const text = control.value.trim().replace(" ", "T").replace(zone, "");
    native.value = text.replace(/(\.\d{3})\d+$/, "$1");
    native.showPicker();
  });
  native.addEventListener("input", () => {
    const [kept] = control.value.match(zone) ?? [""];
    control.value = native.value && native.value + kept;
  });
  control.after(native, button);
}

// The fields of a record.
function record(control, box) {
  const controls = enhance(box);
  const write = () => (control.value = object(controls, true));
  box.addEventListener("input", write);
  const show = () => {
    if (!control.value.trim()) write();
    const isSaid = fill(controls, read(control.value));
    controls.forEach((inner) => sync(inner));
    return isSaid;
  };
  return { write, show, inside: (path) => [controls, path] };
}

// Fields or a table in the place of the JSON of records, and whether they are included.
function records(control) {
  const [tools, box] = control.nextElementSibling.content.children;
  const [button, given] = [tools.querySelector("button"), tools.querySelector("input")];
  control.before(tools);
  control.after(box);
  const view = box.matches(".record") ? record(control, box) : new Table(control, box);
  views.set(control, Object.assign(view, { box, button, given }));
  button.addEventListener("click", () => sync(control, !box.hidden));
  let kept = control.dataset.default; // what it says once it is included again
  given?.addEventListener("input", () => {
    if (!given.checked) [kept, control.value] = [control.value, ""];
    else if (kept) control.value = kept;
    else view.write();
    sync(control);
  });
  sync(control);
}

// Show a control by its view, or as it is if that is asked or the view cannot say what it holds.
function sync(control, isAsked = false) {
  const view = views.get(control);
  if (!view) return;
  const { box, button, given } = view;
  const isOut = Boolean(given) && !control.value.trim();
  const isView = !isOut && !isAsked && view.show();
  [box.hidden, control.hidden, button.hidden] = [!isView, isView || isOut, isOut];
  button.textContent = isView ? "as JSON" : "as fields";
  if (given) given.checked = !isOut;
}

// The control that a path into what is sent leads to, in the view that is shown; then the rest.
export function find(controls, path) {
  const control = controls.find(({ dataset }) => `${path}.`.startsWith(`${dataset.name}.`));
  if (!control) return null;
  const below = path.slice(control.dataset.name.length + 1);
  const view = views.get(control);
  const isInside = below && view && !view.box.hidden;
  return (isInside && find(...view.inside(below))) || { control, below };
}

// Give the controls in a part of the page their views, and return them.
export function enhance(part) {
  const kinds = { check, picker, records };
  return named(part).map((control) => kinds[control.dataset.view]?.(control) ?? control);
}
