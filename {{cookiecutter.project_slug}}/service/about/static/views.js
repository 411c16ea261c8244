// Handier views of controls. A view writes what it says into its control, which alone is sent;
// where the control holds what the view cannot say, the control itself is shown.

import { announce, dropped, element, leadsTo, named } from "./dom.js";
import { isRecord, read } from "./json.js";
import { table } from "./table.js";
import { members, own, put } from "./values.js";

const views = new WeakMap(); // by control
const labelOf = (control) => document.getElementById(`${control.id}-label`);

// A check box in the place of a choice of true or false.
function check(control) {
  const box = element("input", { type: "checkbox", id: `${control.id}-tick` });
  box.setAttribute("aria-describedby", control.getAttribute("aria-describedby"));
  box.addEventListener("input", () => (control.value = String(box.checked)));
  const show = () => {
    box.checked = control.value === "true";
    return control.value !== "";
  };
  return { box, show };
}

// The browser's picker beside a text, which says more than the picker can: fractions and zones.
function picker(control) {
  const { view: type, name } = control.dataset;
  const zone = /(Z|[+-]\d\d:?\d\d)$/i;
  const native = element("input", { type, tabIndex: -1, className: "native", ariaHidden: "true" });
  if (type !== "date") native.step = 1; // second
  const ariaLabel = `Pick a ${type.replace("time-local", " and time")} for ${name}`;
  const button = element("button", { type: "button", className: "small", textContent: "Pick", ariaLabel });
  button.addEventListener("click", () => {
    const text = type === "date" ? control.value : control.value.replace(" ", "T").replace(zone, "");
    native.value = text.trim().replace(/(\.\d{3})\d+$/, "$1");
    native.showPicker();
  });
  native.addEventListener("input", (event) => {
    event.stopPropagation();
    const kept = type === "date" ? "" : (control.value.match(zone)?.[0] ?? "");
    control.value = native.value && native.value + kept;
    announce(control);
  });
  control.parentElement.append(native, button);
}

// The fields of a record.
function record(control, box) {
  const controls = named(box);
  enhance(box);
  const write = () => (control.value = `{${members(controls).join(", ")}}`);
  box.addEventListener("input", write);
  const show = () => {
    if (!control.value.trim()) write();
    const value = read(control.value);
    const isKnown = (name) => controls.some(({ dataset }) => dataset.name === name);
    if (!isRecord(value) || !Object.keys(value).every(isKnown)) return false;
    const isSaid = controls.map((inner) => put(inner, own(value, inner.dataset.name))).every(Boolean);
    controls.forEach(sync);
    return isSaid;
  };
  return { box, show, write, find: (path) => among(controls, path) };
}

// The control that a path into what is sent leads to, in the view of it that is shown.
export function among(controls, path) {
  const found = leadsTo(controls, path);
  const view = found?.below && views.get(found.control);
  return (view && !view.box.hidden && view.find?.(found.below)) || found;
}

// The element that stands for a control on the page: the control, its check box, or the first of its view.
export function visible(control) {
  const box = views.get(control)?.box;
  if (!box || box.hidden) return control;
  return box.matches("input") ? box : visible(named(box)[0]);
}

// Show a control by its view, or as it is if the view cannot say what it holds.
function sync(control) {
  const view = views.get(control);
  if (!view) return;
  const isLeftOut = view.given && !control.value.trim();
  let isSaid = false;
  try {
    isSaid = !isLeftOut && view.show();
  } catch {
    // It is no JSON.
  }
  swap(control, isSaid, isLeftOut);
}

function swap(control, isView, isLeftOut) {
  const { box, given, button } = views.get(control);
  [box.hidden, control.hidden] = [!isView, isView || isLeftOut];
  if (box.id) labelOf(control).htmlFor = (isView ? box : control).id;
  if (given) given.checked = !isLeftOut;
  if (button) Object.assign(button, { textContent: isView ? "as JSON" : "as fields", hidden: isLeftOut });
}

// Beside a record: whether it is included, if it may be left out, and its fields or its JSON.
function tools(control, view) {
  const { name, optional } = control.dataset;
  const ariaLabel = `Show ${name} as JSON or as fields`;
  view.button = element("button", { type: "button", className: "swap", ariaLabel });
  view.button.addEventListener("click", () =>
    view.box.hidden ? sync(control) : swap(control, false, false),
  );
  const head = element("span", { className: "swaps" }, view.button);
  labelOf(control).after(head);
  if (optional === undefined) return;
  let kept = control.dataset.default; // what it says once it is included again
  view.given = element("input", { type: "checkbox", ariaLabel: `Include ${name}` });
  view.given.addEventListener("input", (event) => {
    event.stopPropagation();
    if (!view.given.checked) [kept, control.value] = [control.value, ""];
    else if (kept) control.value = kept;
    else view.write();
    sync(control);
    announce(control);
  });
  head.prepend(element("label", {}, view.given, " include"));
}

// Give the controls in a part of the page their views; of a template within, later.
export function enhance(part) {
  for (const control of part.querySelectorAll("[data-view]")) {
    const make = { check, record, table }[control.dataset.view];
    if (!make) picker(control);
    else {
      const box = control.nextElementSibling.content?.firstElementChild;
      if (box) control.after(box);
      const view = make(control, box);
      views.set(control, view);
      if (box) tools(control, view);
      else control.after(view.box);
      sync(control);
    }
  }
  for (const control of part.querySelectorAll(".of-files > [type=file]")) {
    dropped(control.parentElement, (files) => {
      const chosen = new DataTransfer();
      for (const file of control.multiple ? files : [files[0]]) chosen.items.add(file);
      control.files = chosen.files;
      announce(control);
    });
  }
}
