// A list of records as a table: typed, pasted from a spreadsheet, or read from a CSV file.

import { readTable, textOf } from "./csv.js";
import { named, picked } from "./dom.js";
import { isList, read } from "./json.js";
import { fill, object } from "./values.js";

// Put a text of a spreadsheet into a cell; false if the cell has no such choice.
function assign(cell, text) {
  const isMissing = cell.dataset.exact === undefined && /^\s*(NA|NaN|nan)\s*$/.test(text);
  const found = isMissing ? "" : text.replace(/\r\n?/g, "\n");
  cell.value = found;
  if (cell.value !== found) cell.value = found.trim().toLowerCase(); // true for TRUE
  return cell.value !== "" || !found.trim();
}

// The place of the column of a name, which may stand in other capitals or before its unit; the
// same name with another unit has none.
function placeOf(found, columns) {
  const bare = (text) => text.replace(/[\s_,;:()[\]]/g, "");
  const isCalled = ({ column, unit }) => {
    const [name, rest] = [found.slice(0, column.length), found.slice(column.length)];
    const isUnit = /^[\s_,;:([]/.test(rest) && bare(rest) === bare(unit);
    return name.toLowerCase() === column.toLowerCase() && (!rest || isUnit);
  };
  const at = columns.findIndex(({ column }) => column === found);
  return at < 0 ? columns.findIndex(isCalled) : at;
}

// The places of the columns of a block, if its first line has the names of some; a name that has
// none, or that of another column, has -1.
function header(block, columns) {
  const found = block[0].map((name) => placeOf(name.replace(/^#/, "").trim(), columns));
  const head = found.map((at, i) => (found.indexOf(at) < i ? -1 : at));
  return Math.max(...head) < 0 ? null : head;
}

export function table(control, box) {
  const parts = ["tbody", "template", ".note"].map((name) => box.querySelector(name));
  const [body, template, note] = parts;
  const columns = [...box.querySelectorAll("[data-column]")].map(({ dataset }) => dataset);
  const said = new WeakMap(); // what a row says, until it changes: a long table is slow to read

  const add = () => {
    body.append(template.content.cloneNode(true));
    const row = body.lastElementChild;
    row.firstElementChild.textContent = body.rows.length;
    return row;
  };

  // The rows, but for those that say nothing.
  const filled = () => {
    for (const row of body.rows) if (!said.has(row)) said.set(row, object(named(row), true));
    return [...body.rows].filter((row) => said.get(row) !== "{}");
  };

  const write = () => {
    const rows = filled().map((row) => said.get(row));
    control.value = `[${rows.join(",\n ")}]`;
  };

  const changed = () => box.dispatchEvent(new Event("input", { bubbles: true }));

  // Show what the control says; false if a cell cannot say it.
  const show = () => {
    const value = control.value.trim() ? read(control.value) : [];
    if (!isList(value)) return false;
    body.replaceChildren();
    const isSaid = value.map((item) => fill(named(add()), item)).every(Boolean);
    if (!value.length) add();
    return isSaid && filled().length === value.length;
  };

  const tell = (text, isFault) => {
    note.textContent = text;
    note.classList.toggle("bad", isFault);
  };

  // Put a block of texts into the cells from one on; from the first one on, in the place of all
  // rows. No old value stays beside those of a block that does not fit.
  const put = (block, at = 0, column = 0) => {
    const head = header(block, columns);
    const lines = head ? block.slice(1) : block;
    const lost = new Set(head && block[0].filter((name, i) => head[i] < 0 && name.trim()));
    const isOther = lost.size > 0;
    const isWhole = !(at + column) && lines.length > 0;
    const instead = isWhole && filled().length ? `, in the place of ${filled().length}` : "";
    if (isWhole) body.replaceChildren();
    const width = Math.max(...block.map(({ length }) => length));
    lines.forEach((line, index) => {
      const row = body.rows[at + index] ?? add();
      const cells = named(row);
      said.delete(row);
      if (isOther) for (const cell of cells) cell.value = "";
      for (let i = 0; i < width; i += 1) {
        const [cell, text] = [cells[head ? head[i] : column + i], line[i] ?? ""];
        if (!(cell ? assign(cell, text) : !text || isOther)) lost.add(text);
      }
    });
    const some = [...lost].slice(0, 5).join(", ");
    const left = some && ` There is no column or choice for ${some}: left out.`;
    tell(`${lines.length} row${lines.length === 1 ? "" : "s"} read${instead}.${left}`, some !== "");
    changed();
  };

  const take = async (text, sign, ...place) => put(readTable(await text, sign), ...place);
  const fail = ({ message }) => tell(message, true);
  picked(box, (file) => take(textOf(file)).catch(fail));

  box.addEventListener("input", ({ target }) => {
    said.delete(target.closest("tr"));
    write();
  });

  // A block is pasted from a spreadsheet, or as CSV if each line has all columns.
  box.addEventListener("paste", (event) => {
    const text = event.clipboardData.getData("text/plain");
    const cell = event.target.closest("td");
    if (!cell || !/[\t\n]/.test(text.trim())) return;
    event.preventDefault();
    const [row, column] = [cell.parentElement.sectionRowIndex, cell.cellIndex - 1];
    const lines = text.trim().split(/[\r\n]+/).filter((line) => !line.startsWith("#"));
    const isAll = (line) => !line.includes("\t") && line.split(",").length === columns.length;
    take(text, !column && lines.every(isAll) ? "," : "\t", row, column).catch(fail);
  });

  box.addEventListener("click", ({ target }) => {
    if (target.matches(".add")) named(add())[0].focus();
    if (!target.matches(".remove")) return;
    const row = target.closest("tr");
    const next = row.nextElementSibling ?? row.previousElementSibling ?? add();
    row.remove();
    [...body.rows].forEach((one, at) => (one.firstElementChild.textContent = at + 1));
    named(next)[0].focus();
    changed();
  });

  box.addEventListener("keydown", (event) => {
    const cell = event.target.closest("tbody td");
    const step = { ArrowUp: -1, ArrowDown: 1, Enter: 1 }[event.key];
    const isOwn = event.target.matches(event.key === "Enter" ? "button" : "button, select");
    if (!step || !cell || event.shiftKey || isOwn) return;
    event.preventDefault(); // Enter would send the form
    const next = body.rows[cell.parentElement.sectionRowIndex + step];
    const row = next ?? (event.key === "Enter" && add());
    if (row) row.cells[cell.cellIndex].firstElementChild.focus();
  });

  // The cells of the row that a path leads to, and the rest of the path.
  const inside = (path) => {
    const [at, ...rest] = path.split(".");
    return [named(filled()[at] ?? template), rest.join(".")]; // which has none itself
  };
  return { write, show, inside };
}
