// A list of records as a table: typed, pasted from a spreadsheet, or read from a CSV file.

import { readTable } from "./csv.js";
import { named, picked } from "./dom.js";
import { isList, read } from "./json.js";
import { fill, object, type, typed } from "./values.js";

const PAUSE = 300; // milliseconds; a table is written once the typing rests, so that no key waits

// Put a text of a spreadsheet into a cell; false if the cell has no such choice.
function assign(cell, text) {
  const isMissing = cell.dataset.exact === undefined && /^\s*(NA|NaN|nan)\s*$/.test(text);
  const found = isMissing ? "" : text.replace(/\r\n?/g, "\n");
  type(cell, found);
  if (typed(cell) !== found) type(cell, found.trim().toLowerCase()); // true for TRUE
  return typed(cell) !== "" || !found.trim();
}

export class Table {
  said = new WeakMap(); // what each row says, until it changes: a long table is slow to read

  constructor(control, box) {
    const parts = ["tbody", "template", ".note"].map((name) => box.querySelector(name));
    [this.control, this.body, this.template, this.note] = [control, ...parts];
    const heads = box.querySelectorAll("thead th[id]");
    const unit = (at) => heads[at].querySelector(".unit")?.textContent ?? "";
    const cells = named(this.template.content);
    this.columns = cells.map(({ dataset: { name } }, at) => ({ name, unit: unit(at) }));
    for (const kind of ["input", "focusout", "paste", "click", "keydown"])
      box.addEventListener(kind, (event) => this[kind](event));
    picked(box, (file) => this.take(file.text()));
  }

  // The rows, but for those that say nothing.
  filled() {
    const rows = [...this.body.rows];
    for (const row of rows) if (!this.said.has(row)) this.said.set(row, object(named(row), true));
    return rows.filter((row) => this.said.get(row) !== "{}");
  }

  write() {
    const rows = this.filled().map((row) => this.said.get(row));
    this.control.value = `[${rows.join(",\n ")}]`;
  }

  settle() {
    this.waiting = clearTimeout(this.waiting);
    this.write();
    this.control.dispatchEvent(new Event("input", { bubbles: true }));
  }

  // Show what the control says; false if a cell cannot say it.
  show() {
    const value = this.control.value.trim() ? read(this.control.value) : [];
    if (!isList(value)) return false;
    this.body.replaceChildren();
    const isSaid = value.map((item) => fill(named(this.add()), item)).every(Boolean);
    if (!value.length) this.add();
    return isSaid && this.filled().length === value.length;
  }

  add() {
    this.body.append(this.template.content.cloneNode(true));
    const row = this.body.lastElementChild;
    row.firstElementChild.textContent = this.body.rows.length;
    return row;
  }

  remove(row) {
    const next = row.nextElementSibling ?? row.previousElementSibling ?? this.add();
    row.remove();
    [...this.body.rows].forEach((one, at) => (one.firstElementChild.textContent = at + 1));
    named(next)[0].focus();
    this.settle();
  }

  // The place of the column of a name, which may stand in other capitals or before its unit; the
  // same name with another unit has none.
  columnOf(found) {
    const bare = (text) => text.replace(/[\s_,;:()[\]]/g, "");
    const isCalled = ({ name, unit }) => {
      const rest = found.slice(name.length);
      const isSame = found.slice(0, name.length).toLowerCase() === name.toLowerCase();
      return isSame && (!rest || (/^[\s_,;:([]/.test(rest) && bare(rest) === bare(unit)));
    };
    const at = this.columns.findIndex(({ name }) => name === found);
    return at < 0 ? this.columns.findIndex(isCalled) : at;
  }

  // The lines of a block of texts without its header, the column of each text in a line, and the
  // names in the header that have no column of their own.
  parts(block, column) {
    const found = block[0].map((name) => this.columnOf(name.replace(/^#/, "").trim()));
    const head = found.map((place, i) => (found.indexOf(place) < i ? -1 : place));
    const isHead = head.some((place) => place >= 0);
    const width = Math.max(...block.map(({ length }) => length));
    const places = Array.from({ length: width }, (_, i) => (isHead ? head[i] : column + i));
    const others = isHead ? block[0].filter((name, i) => head[i] < 0 && name.trim()) : [];
    return { lines: isHead ? block.slice(1) : block, places, others };
  }

  // Put a block of texts into the cells from one on; from the first one on, in the place of all
  // rows. No old value stays beside those of a block that does not fit.
  put(block, at = 0, column = 0) {
    const { lines, places, others } = this.parts(block, column);
    const isWhole = !(at + column) && lines.length > 0;
    const before = isWhole && this.filled().length;
    if (isWhole) this.body.replaceChildren();
    const lost = new Set(others);
    lines.forEach((line, index) => {
      const row = this.body.rows[at + index] ?? this.add();
      const cells = named(row);
      this.said.delete(row);
      if (others.length) for (const cell of cells) type(cell, "");
      places.forEach((place, i) => {
        const text = line[i] ?? "";
        const isPut = place in cells ? assign(cells[place], text) : !text || others.length;
        if (!isPut) lost.add(text);
      });
    });
    const some = [...lost].slice(0, 5).join(", ");
    const left = some && ` There is no column or choice for ${some}: left out.`;
    const instead = before ? `, in the place of ${before}` : "";
    this.tell(`${lines.length} row${lines.length === 1 ? "" : "s"} read${instead}.${left}`, some);
    this.settle();
  }

  tell(text, isFault) {
    this.note.textContent = text;
    this.note.classList.toggle("bad", Boolean(isFault));
  }

  async take(text, sign, row, column) {
    try {
      this.put(readTable(await text, sign), row, column);
    } catch (error) {
      this.tell(error.message, true);
    }
  }

  // The sign between the cells of a text that is pasted: of a spreadsheet, or of CSV if each line
  // has all columns.
  separator(text) {
    const lines = text.trim().split(/[\r\n]+/).filter((line) => !line.startsWith("#"));
    const isAll = (line) => line.split(",").length === this.columns.length;
    return !text.includes("\t") && lines.every(isAll) ? "," : "\t";
  }

  input(event) {
    event.stopPropagation();
    this.said.delete(event.target.closest("tr"));
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.settle(), PAUSE);
  }

  focusout() {
    if (this.waiting) this.settle();
  }

  paste(event) {
    const text = event.clipboardData.getData("text/plain");
    const cell = event.target.closest("td");
    if (!cell || !/[\t\n]/.test(text.trim())) return;
    event.preventDefault();
    const [row, column] = [cell.parentElement.sectionRowIndex, cell.cellIndex - 1];
    this.take(text, column ? "\t" : this.separator(text), row, column);
  }

  click({ target }) {
    if (target.matches(".add")) named(this.add())[0].focus();
    if (target.matches(".remove")) this.remove(target.closest("tr"));
  }

  keydown(event) {
    const cell = event.target.closest("tbody td");
    const step = { ArrowUp: -1, ArrowDown: 1, Enter: 1 }[event.key];
    const isOwn = event.target.matches(event.key === "Enter" ? "button" : "button, select");
    if (!step || !cell || event.shiftKey || isOwn) return;
    event.preventDefault(); // Enter would send the form
    const next = this.body.rows[cell.parentElement.sectionRowIndex + step];
    const row = next ?? (event.key === "Enter" && this.add());
    if (row) row.cells[cell.cellIndex].firstElementChild.focus();
  }

  // The cells of the row that a path leads to, and the rest of the path.
  inside(path) {
    const [at, ...rest] = path.split(".");
    const row = this.filled()[at];
    return [row ? named(row) : [], rest.join(".")];
  }
}
