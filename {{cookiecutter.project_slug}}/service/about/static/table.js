// A list of records as a table: typed, pasted from a spreadsheet, or read from a CSV file.

import { readTable } from "./csv.js";
import { announce, dropped, leadsTo, named } from "./dom.js";
import { isList, isRecord, read } from "./json.js";
import { members, own, put } from "./values.js";

const pause = 300; // milliseconds after which a long table is written
const long = 100; // rows

// Put a text of a spreadsheet into a cell; false if the cell has no such choice.
function assign(cell, text) {
  const isMissing = cell.dataset.exact === undefined && /^\s*(NA|NaN|nan)\s*$/.test(text);
  const found = isMissing ? "" : text.replace(/\r\n?/g, "\n");
  cell.value = found;
  if (cell.value !== found) cell.value = found.trim().toLowerCase(); // true for TRUE
  return cell.value !== "" || !found.trim();
}

export function table(control, box) {
  const [body, template, note] = ["tbody", "template", ".note"].map((name) => box.querySelector(name));
  const columns = named(template.content).map(({ dataset }) => dataset.name);
  const cells = new WeakMap(); // the controls of each row
  const known = new WeakMap(); // what each row says, until it changes

  function said(row) {
    if (!known.has(row)) known.set(row, members(cells.get(row)).join(", "));
    return known.get(row);
  }
  const filled = () => [...body.rows].filter(said); // an empty row is none
  const write = () => (control.value = `[${filled().map((row) => `{${said(row)}}`).join(",\n ")}]`);

  // Of a long table all is written once the typing rests, so that no key waits.
  let waiting;
  function settle() {
    waiting = clearTimeout(waiting);
    write();
    announce(control);
  }

  function add() {
    const row = template.content.firstElementChild.cloneNode(true);
    cells.set(row, named(row));
    body.append(row);
    row.firstElementChild.textContent = body.rows.length;
    return row;
  }

  function remove(row) {
    const next = row.nextElementSibling ?? row.previousElementSibling ?? add();
    row.remove();
    [...body.rows].forEach((one, index) => (one.firstElementChild.textContent = index + 1));
    cells.get(next)[0].focus();
    settle();
  }

  // Show what the control says; false if a cell cannot say it.
  function show() {
    const value = control.value.trim() ? read(control.value) : [];
    if (!isList(value) || !value.every(isRecord)) return false;
    body.replaceChildren();
    const isSaid = value.every((item) => {
      const isKnown = Object.keys(item).every((name) => columns.includes(name));
      const row = cells.get(add());
      return isKnown && row.every((cell) => put(cell, own(item, cell.dataset.name)));
    });
    if (!value.length) add();
    return isSaid && filled().length === value.length;
  }

  // The place of the column of this name, or else of one that differs in capitals alone.
  function columnOf(text) {
    const name = text.trim();
    const isSame = (one) => one.toLowerCase() === name.toLowerCase();
    return columns.includes(name) ? columns.indexOf(name) : columns.findIndex(isSame);
  }

  // Put a block of texts into the cells from one on; a header, where there is one, names the columns.
  function paste(block, at = 0, column = 0) {
    const [names, ...below] = block;
    const head = names.map(columnOf);
    const isHead = head.some((place) => place >= 0);
    const places = isHead ? head : names.map((_, index) => column + index);
    const lost = new Set(isHead ? names.filter((_, index) => head[index] < 0) : []);
    const lines = isHead ? below : block;
    lines.forEach((line, index) => {
      const row = body.rows[at + index] ?? add();
      known.delete(row);
      line.forEach((text, place) => {
        const cell = cells.get(row)[places[place]];
        if (cell ? !assign(cell, text) : text && !isHead) lost.add(text);
      });
    });
    const some = [...lost].slice(0, 5).join(", ");
    const left = some && ` No column or choice is called ${some}: left out.`;
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

  box.addEventListener("input", (event) => {
    event.stopPropagation();
    const row = event.target.closest("tr");
    if (!row) return; // it is the file
    known.delete(row);
    clearTimeout(waiting);
    waiting = setTimeout(settle, body.rows.length > long ? pause : 0);
  });
  box.addEventListener("focusout", () => waiting && settle());
  box.addEventListener("change", ({ target: { files } }) => files?.[0] && open(files[0]));
  dropped(box, ([file]) => open(file));
  box.addEventListener("paste", (event) => {
    const text = event.clipboardData.getData("text/plain");
    const cell = event.target.closest("td");
    if (!cell || !/[\t\n]/.test(text.trim())) return;
    event.preventDefault();
    paste(readTable(text, "\t"), cell.parentElement.sectionRowIndex, cell.cellIndex - 1);
  });
  box.addEventListener("click", ({ target }) => {
    if (target.matches(".add")) cells.get(add())[0].focus();
    if (target.matches(".remove")) remove(target.closest("tr"));
  });
  box.addEventListener("keydown", (event) => {
    const cell = event.target.closest("tbody td");
    const step = { ArrowUp: -1, ArrowDown: 1, Enter: 1 }[event.key];
    if (!step || !cell || event.shiftKey || event.target.matches("button")) return;
    if (event.target.matches("select") && event.key !== "Enter") return;
    event.preventDefault(); // Enter would send the form
    const row = body.rows[cell.parentElement.sectionRowIndex + step];
    (row ?? (event.key === "Enter" ? add() : null))?.cells[cell.cellIndex].firstElementChild.focus();
  });

  const find = (path) => {
    const [at, ...rest] = path.split(".");
    const row = filled()[at];
    return row && leadsTo(cells.get(row), rest.join("."));
  };
  return { box, show, write, find };
}
