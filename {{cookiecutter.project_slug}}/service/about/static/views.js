// Handier views of controls. A view writes what it says into its control, which alone is sent;
// where the control holds what the view cannot say, the control itself is shown.

import { readTable } from "./csv.js";
import { isObject, json, members, parse, put } from "./values.js";

const views = new WeakMap(); // by control: { box, show, find, switches }
const announce = (control) => control.dispatchEvent(new Event("input", { bubbles: true }));
const named = (part) => [...part.querySelectorAll("[data-name]")];

export function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// A check box in the place of a choice of true or false.
function check(control) {
  const tick = element("input", { type: "checkbox", id: `${control.id}-tick` });
  tick.setAttribute("aria-describedby", control.getAttribute("aria-describedby"));
  tick.addEventListener("input", () => (control.value = String(tick.checked)));
  const show = () => {
    tick.checked = control.value === "true";
    return control.value !== "";
  };
  return { box: tick, show };
}

// The browser's picker beside a text, which can say more than the picker: fractions and zones.
function picker(control) {
  const type = control.dataset.view;
  const native = element("input", { type, tabIndex: -1, className: "native", step: type === "date" ? "" : 1 });
  native.ariaHidden = "true";
  const label = type === "datetime-local" ? "Pick a date and time" : `Pick a ${type}`;
  const button = element("button", { type: "button", className: "small", textContent: "Pick", ariaLabel: `${label} for ${control.dataset.name}` });
  button.addEventListener("click", () => {
    native.value = control.value.trim().replace(" ", "T").replace(/(Z|[+-]\d\d:?\d\d)$/i, "");
    native.showPicker();
  });
  native.addEventListener("input", (event) => {
    event.stopPropagation();
    const [zone] = control.value.match(/(Z|[+-]\d\d:?\d\d)$/i) ?? [""];
    control.value = native.value && native.value + (type === "date" ? "" : zone);
    announce(control);
  });
  control.parentElement.append(native, button);
}

// The fields of a record; one that may be left out is ticked to be given.
function record(control, box) {
  const controls = named(box);
  enhance(box);
  const write = () => (control.value = `{${members(controls).join(", ")}}`);
  box.addEventListener("input", write);
  const show = () => {
    if (!control.value.trim()) return write() && true;
    const value = parse(control.value);
    const names = controls.map(({ dataset }) => dataset.name);
    if (!isObject(value) || Object.keys(value).some((name) => !names.includes(name))) return false;
    return controls.map((inner) => put(inner, value[inner.dataset.name]) && sync(inner)).every(Boolean);
  };
  return { box, show, write, find: (path) => among(controls, path) };
}

// The rows of a list of records.
function table(control, box) {
  const [body, template] = [box.querySelector("tbody"), box.querySelector("template")];
  const note = box.querySelector(".note");
  const columns = named(template.content).map(({ dataset }) => dataset.name);
  const cells = new WeakMap(); // the controls of each row
  const said = new WeakMap(); // the JSON of each row that has not changed
  const filled = () => [...body.rows].filter((row) => row_(row));

  function row_(row) {
    if (!said.has(row)) said.set(row, members(cells.get(row)).join(", "));
    return said.get(row);
  }
  function write() {
    control.value = `[${filled().map((row) => `{${said.get(row)}}`).join(",\n ")}]`;
  }
  function add() {
    const row = template.content.firstElementChild.cloneNode(true);
    cells.set(row, named(row));
    body.append(row);
    row.firstElementChild.textContent = body.rows.length;
    return row;
  }
  function show() {
    const value = control.value.trim() ? parse(control.value) : [];
    if (!Array.isArray(value) || !value.every(isObject)) return false;
    body.replaceChildren();
    const isSaid = value.every((item) => {
      const controls = cells.get(add());
      const isKnown = Object.keys(item).every((name) => columns.includes(name));
      return isKnown && controls.every((cell) => put(cell, item[cell.dataset.name])) && item;
    });
    if (isSaid && !value.length) add();
    return isSaid && filled().length === value.length;
  }
  // Put a block of texts into the cells from one on; a header names the columns.
  function paste(block, at = 0, column = 0) {
    const [names, ...rows] = block;
    const head = names.map((name) => columns.indexOf(name.trim()));
    const isHead = head.some((place) => place >= 0);
    const places = isHead ? head : names.map((_, index) => column + index);
    const lines = isHead ? rows : block;
    const lost = new Set(isHead ? names.filter((_, index) => head[index] < 0).map((name) => `no column: ${name}`) : []);
    lines.forEach((line, index) => {
      const row = body.rows[at + index] ?? add();
      said.delete(row);
      line.forEach((text, place) => {
        const cell = cells.get(row)[places[place]];
        if (cell && !assign(cell, text)) lost.add(`no choice: ${text}`);
        if (!cell && !isHead && text) lost.add(`no column for ${text}`);
      });
    });
    const left = lost.size ? ` Left out: ${[...lost].slice(0, 5).join("; ")}.` : "";
    note.textContent = `${lines.length} ${lines.length === 1 ? "row" : "rows"} read.${left}`;
    settle();
  }
  async function open(file) {
    try {
      const block = readTable(await file.text());
      body.replaceChildren();
      paste(block);
    } catch (error) {
      note.textContent = error.message;
    }
  }
  // Of a long table all is written once the typing rests, so that no key waits.
  let waiting;
  function settle() {
    clearTimeout(waiting);
    waiting = undefined;
    write();
    announce(control);
  }
  box.addEventListener("input", (event) => {
    event.stopPropagation();
    const row = event.target.closest("tr");
    if (!row) return; // the file
    said.delete(row);
    clearTimeout(waiting);
    waiting = setTimeout(settle, body.rows.length > 100 ? 300 : 0);
  });
  box.addEventListener("focusout", () => waiting && settle());
  box.addEventListener("change", ({ target }) => target.type === "file" && target.files[0] && open(target.files[0]));
  box.addEventListener("paste", (event) => {
    const text = event.clipboardData.getData("text/plain");
    const cell = event.target.closest("td");
    if (!cell || !/[\t\n]/.test(text.trim())) return;
    event.preventDefault();
    paste(readTable(text, "\t"), cell.parentElement.sectionRowIndex, cell.cellIndex - 1);
  });
  box.addEventListener("click", ({ target }) => {
    if (target.matches(".add")) cells.get(add())[0].focus();
    if (!target.matches(".remove")) return;
    const row = target.closest("tr");
    const next = row.nextElementSibling ?? row.previousElementSibling ?? add();
    row.remove();
    [...body.rows].forEach((one, index) => (one.firstElementChild.textContent = index + 1));
    cells.get(next)[0].focus();
    settle();
  });
  box.addEventListener("keydown", (event) => {
    const cell = event.target.closest("tbody td");
    const step = { ArrowUp: -1, ArrowDown: 1, Enter: 1 }[event.key];
    if (!step || !cell || (event.target.matches("select, button") && event.key !== "Enter")) return;
    if (event.target.matches("button")) return;
    event.preventDefault(); // Enter would send the form
    const at = cell.parentElement.sectionRowIndex + step;
    const row = body.rows[at] ?? (event.key === "Enter" ? add() : undefined);
    row?.cells[cell.cellIndex].firstElementChild.focus();
  });
  dropped(box, ([file]) => open(file));
  const find = (path) => {
    const [at, ...rest] = path.split(".");
    const row = filled()[at];
    return row && among(cells.get(row), rest.join("."));
  };
  return { box, show, write, find };
}

// Put a text of a spreadsheet into a cell; false if the cell has no place for it.
function assign(cell, text) {
  const isMissing = cell.dataset.exact === undefined && /^\s*(NA|NaN|nan)\s*$/.test(text);
  const found = isMissing ? "" : text;
  cell.value = found;
  if (cell.value !== found) cell.value = found.trim().toLowerCase(); // a choice: true for TRUE
  return cell.value !== "" || !found.trim();
}

// Call with the files that are dropped on a part of the page.
export function dropped(part, take) {
  part.addEventListener("dragover", (event) => {
    event.preventDefault();
    part.classList.add("over");
  });
  part.addEventListener("dragleave", () => part.classList.remove("over"));
  part.addEventListener("drop", (event) => {
    event.preventDefault();
    part.classList.remove("over");
    if (event.dataTransfer.files.length) take(event.dataTransfer.files);
  });
}

// The control for a path into what is sent, and what of the path is below it.
export function among(controls, path) {
  const control = controls.find(({ dataset }) => `${path}.`.startsWith(`${dataset.name}.`));
  if (!control) return undefined;
  const below = path.slice(control.dataset.name.length + 1);
  const view = views.get(control);
  const inner = below && view && !view.box.hidden && view.find?.(below);
  return inner || { control, below };
}

// What stands for a control on the page: the control, or the first of its view.
export function visible(control) {
  const box = views.get(control)?.box;
  if (!box || box.hidden) return control;
  return box.matches("input") ? box : visible(named(box)[0]);
}

// Show a control by its view, or as it is if the view cannot say what it holds.
export function sync(control) {
  const view = views.get(control);
  if (!view) return true;
  let isSaid = false;
  const isLeftOut = view.given && !control.value.trim();
  try {
    isSaid = !isLeftOut && view.show();
  } catch {
    // It is no JSON.
  }
  view.box.hidden = !isSaid;
  if (view.box.id) document.getElementById(`${control.id}-label`).htmlFor = (isSaid ? view.box : control).id;
  control.hidden = isSaid || isLeftOut;
  if (view.given) view.given.checked = !isLeftOut;
  if (view.swap) Object.assign(view.swap, { textContent: isSaid ? "as JSON" : "as fields", hidden: isLeftOut });
  return true;
}

// Beside a record: whether it is given, and a button between its fields and its JSON.
function tools(control, view) {
  const swap = element("button", { type: "button", className: "swap" });
  swap.ariaLabel = `Show ${control.dataset.name} as JSON or as fields`;
  swap.addEventListener("click", () => {
    if (view.box.hidden) return sync(control);
    [view.box.hidden, control.hidden, swap.textContent] = [true, false, "as fields"];
  });
  const head = element("span", { className: "swaps" }, swap);
  if (control.dataset.optional !== undefined) {
    const given = element("input", { type: "checkbox" });
    given.addEventListener("input", (event) => {
      event.stopPropagation();
      if (given.checked) view.write();
      else control.value = "";
      sync(control);
      announce(control);
    });
    head.prepend(element("label", {}, given, " include"));
    given.ariaLabel = `Include ${control.dataset.name}`;
    view.given = given;
  }
  document.getElementById(`${control.id}-label`).after(head);
  view.swap = swap;
}

// Give the controls in a part of the page their views.
export function enhance(part) {
  for (const control of part.querySelectorAll("[data-view]")) {
    const kind = control.dataset.view;
    if (kind === "check") {
      const view = check(control);
      control.after(view.box);
      views.set(control, view);
    } else if (kind !== "record" && kind !== "table") {
      picker(control);
      continue;
    } else if (JSON.rawJSON) {
      const box = control.nextElementSibling.content.firstElementChild;
      control.after(box);
      const view = { record, table }[kind](control, box);
      views.set(control, view);
      tools(control, view);
    }
    sync(control);
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
