// Handier views of controls. A view of records writes what it says into its control, which alone is
// sent; where the control holds what the view cannot say, the control itself is shown.

import { named } from "./dom.js";
import { read } from "./json.js";
import { table } from "./table.js";
import { fill, object } from "./values.js";

const views = new WeakMap(); // by control

// A check box, which has true or false as its value.
function check(box) {
  const set = (text) => (box.checked = text === "true");
  Object.defineProperty(box, "value", { get: () => `${box.checked}`, set });
  [box.id, box.name] = [box.dataset.id, box.dataset.name]; // those of a choice without the script
}

// The browser's picker beside a text, which says more than the picker can: fractions and zones.
function picker(control) {
  const [, native, button] = control.parentElement.children;
  button.addEventListener("click", () => {
    const text = control.value.trim().replace(" ", "T");
    [native.value] = text.match(/^[\d-]*T?[\d:]*(\.\d{1,3})?/);
    native.showPicker();
  });
  native.addEventListener("input", () => {
    const [zone] = control.value.trim().match(/(Z|[+-]\d\d:?\d\d)?$/i);
    control.value = native.value && native.value + zone;
  });
}

// The fields of a record.
function record(control, box) {
  const controls = enhance(box);
  const write = () => (control.value = object(controls, true));
  box.addEventListener("input", write);
  const show = () => {
    if (!control.value.trim()) write();
    return fill(controls, read(control.value));
  };
  return { write, show, inside: (path) => [controls, path] };
}

// Fields or a table in the place of the JSON of records, and whether they are included.
function records(control) {
  const [tools, box] = control.nextElementSibling.content.children;
  const [button, given] = ["button", "input"].map((tag) => tools.querySelector(tag));
  control.before(tools);
  control.after(box);
  const view = (box.matches(".record") ? record : table)(control, box);
  views.set(control, { box, ...view });
  // Show the view, or the control if that is asked or the view cannot say what it holds.
  const show = (isAsked = false) => {
    const isOut = Boolean(given) && !control.value.trim();
    const isView = !isOut && !isAsked && view.show();
    [box.hidden, control.hidden, button.hidden] = [!isView, isView || isOut, isOut];
    button.textContent = isView ? "as JSON" : "as fields";
    if (given) given.checked = !isOut;
  };
  button.addEventListener("click", () => show(!box.hidden));
  control.addEventListener("put", () => show());
  let kept = control.dataset.default; // what it says once it is included again
  given?.addEventListener("input", () => {
    if (!given.checked) [kept, control.value] = [control.value, ""];
    else if (kept) control.value = kept;
    else view.write();
    show();
  });
  show();
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
  const [kinds, controls] = [{ check, picker, records }, named(part)];
  for (const control of controls) kinds[control.dataset.view]?.(control);
  return controls;
}
