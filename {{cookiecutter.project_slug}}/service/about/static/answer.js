// The answer as people read it: a table of its values, plots and tables of its lists, its files.

import { writeTable } from "./csv.js";
import { Digits, isList, isRecord, isScalar, read, write } from "./json.js";
import { markup } from "./markup.js";
import { plot } from "./plot.js";
import { below, options, said } from "./schema.js";

const ROWS = 200; // of a table; all of them are in its CSV
const BEGINNINGS = {
  iVBORw0: "image/png",
  "/9j/": "image/jpeg",
  PHN2Zy: "image/svg+xml",
  JVBERi: "application/pdf",
};

// A value in a cell: as it came, but a null says what it stands for.
function text(value, schema) {
  if (value === undefined) return "";
  if (value !== null) return isScalar(value) ? `${value}` : write(value).replace(/\n */g, " ");
  const nulls = options(schema).filter(({ type }) => type === "null");
  const [reason = "none", ...more] = nulls.map(({ description }) => description ?? "none").reverse();
  return more.length ? `null: ${[reason, ...more].join(", or ")}` : reason;
}

// A file in base64: a picture as itself, and each to be kept.
function file(value, name, schema) {
  const start = Object.keys(BEGINNINGS).find((beginning) => value.startsWith(beginning));
  const kind = said(schema, "contentMediaType") ?? BEGINNINGS[start] ?? "application/bin";
  const [address, ending] = [`data:${kind};base64,${value}`, kind.split(/[/+]/)[1]];
  const picture = kind.startsWith("image/") ? markup`<img src="${address}" alt="${name}">` : "";
  const size = Math.floor((value.replaceAll("=", "").length * 3) / 4).toLocaleString("en");
  return markup`${picture}<p><a href="${address}" download="${name}.${ending}">Download
    ${ending.toUpperCase()}</a> (${size} bytes)</p>`;
}

// The columns of a list, each with its name, unit and items: of records, of lists, or of values.
function columns(list, name, schema) {
  const column = (title, items, about) => ({
    name: title,
    unit: said(about, "unit"),
    items,
    about,
  });
  const isMixed = list.some((item) => item !== null && isScalar(item));
  const keys = new Set(isMixed ? [] : list.flatMap((item) => Object.keys(item ?? {})));
  if (isPlain(list) || isMixed) return [column(name, list, { ...schema, ...below(schema, 0) })];
  const title = (key) => (list.some(isRecord) ? key : `${name} ${+key + 1}`);
  const about = (key) => below(below(schema, 0), key);
  return [...keys].map((key) =>
    column(
      title(key),
      list.map((item) => item?.[key]),
      about(key),
    ),
  );
}

// Let the browser keep columns as a file.
function keep(found, name) {
  const row = (_, i) => found.map(({ items }) => (items[i] === null ? "" : text(items[i])));
  const rows = [found.map((column) => column.name), ...found[0].items.map(row)];
  const href = URL.createObjectURL(new Blob([writeTable(rows)], { type: "text/csv" }));
  Object.assign(document.createElement("a"), { href, download: `${name}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

function tableOf(found, name) {
  const { length } = found[0].items;
  const side = ({ items }) => (items.some((item) => item instanceof Digits) ? "number" : "");
  const head = found.map(
    (column) => markup`<th scope="col" class="${side(column)}">${column.name}
    <small dir="auto">${column.unit}</small></th>`,
  );
  const cell = (column, i) =>
    markup`<td class="${side(column)}" dir="auto">${text(column.items[i], column.about)}</td>`;
  const row = (_, i) => markup`<tr>${found.map((column) => cell(column, i))}</tr>`;
  const rows = `${length} row${length === 1 ? "" : "s"}`;
  return markup`<div class="rows" tabindex="0" role="region" aria-label="Table of ${name}"><table>
    <thead><tr>${head}</tr></thead><tbody>${found[0].items.slice(0, ROWS).map(row)}</tbody></table></div>
    <p class="under">${length > ROWS ? `The first ${ROWS} of ${rows}` : rows}
    <button type="button" class="keep">Download CSV</button></p>`;
}

const named = (name, about) =>
  markup`<b dir="auto">${name}</b>${about ? markup` <small dir="auto">${about}</small>` : ""}`;
const isAxis = ({ about }) => said(about, "axis") === "x";
const isNumber = (item) => item === null || item instanceof Digits;
const isPlain = (value) => isList(value) && value.length > 0 && value.every(isScalar);

// Whether a list is drawn, and stands beside others of its length: if it has numbers, or is the axis.
// A set has no order, and each item of a tuple has a meaning of its own.
function isSeries(list, schema) {
  const isOther = options(schema).some((option) => option["x-unordered"] || option.prefixItems);
  return isPlain(list) && !isOther && (list.every(isNumber) || said(schema, "axis") === "x");
}

const time = (item) => (/^\d{4}-\d\d-\d\d/.test(item) ? Date.parse(item) : NaN);

// The axis of a plot, and the columns to draw over it. The axis may be among the inputs, or dates.
function axes(found, given) {
  const { length } = found[0].items;
  const isDrawn = ({ items }) => items.length === length && items.every(isNumber);
  const [own, others] = [found.filter(isDrawn), given.filter(isDrawn)];
  const items = Array.from({ length }, (_, i) => i + 1);
  const rises = own[1] && own[0].items.every((item, i, all) => i === 0 || +item > +all[i - 1]);
  const dated = ({ items }) => items.length === length && !items.map(time).some(Number.isNaN);
  const dates = [...found, ...given].filter(dated).find(isAxis);
  const x = dates ?? [...own, ...others].find(isAxis) ?? (rises ? own[0] : { name: "item", items });
  const lines = length > 2 ? own.filter((column) => column !== x) : [];
  for (const column of [x, ...lines])
    column.numbers = column.items.map((item) => (item === null ? NaN : +item));
  if (dates) [x.numbers, x.label] = [x.items.map(time), (at) => new Date(at).toISOString().slice(0, 10)];
  return { x, lines, found: given.includes(x) ? [x, ...found] : found };
}

// Lists of one length, or of records: a plot for each unit of the numbers, and one table.
function figure(place, { caption, found }, given) {
  const titles = caption
    ? [caption]
    : found.map(({ name, about }) => [name, said(about, "description")]);
  const name = titles.map(([title]) => title).join(", ");
  const drawn = caption ? { found, lines: [] } : axes(found, given);
  const units = [...new Set(drawn.lines.map(({ unit }) => unit))];
  const own = units.map((unit) => drawn.lines.filter((column) => column.unit === unit));
  const figcaption = titles.map((title) => markup`<p>${named(...title)}</p>`);
  place.innerHTML = markup`<figcaption>${figcaption}</figcaption>
    ${units.map(() => markup`<div class="plot"></div>`)}${tableOf(drawn.found, name)}`;
  place.querySelector(".keep").addEventListener("click", () => keep(drawn.found, name));
  place.querySelectorAll(".plot").forEach((part, i) => plot(part, drawn.x, own[i]));
}

// The number of digits before the point of a number; 0 if they are many.
function whole(value) {
  const { length } = value instanceof Digits ? value.match(/^-?\d*/)[0] : "";
  return length > 8 ? 0 : length;
}

// The rows of a table for an object, those of nested ones indented; its lists become figures, each
// called by its path.
function walk(value, name, schema, depth, found, path = name) {
  const row = (cell) => found.rows.push({ name, schema, depth, cell, whole: whole(value) });
  const isFile = typeof value === "string" && said(schema, "contentEncoding");
  if (isFile) return row(file(value, name, schema));
  if (isList(value)) return row("an empty list");
  if (isScalar(value)) {
    const unit = value === null ? "" : said(schema, "unit");
    return row(markup`${text(value, schema)} <small>${unit}</small>`);
  }
  const inside = Object.entries(value);
  const at = name && row(inside.length ? "" : "an empty object");
  const lists = {};
  for (const [key, inner] of inside) {
    const [member, to] = [below(schema, key), path ? `${path}.${key}` : key];
    const own = isList(inner) && inner.length ? columns(inner, to, member) : [];
    const isShared = isSeries(inner, member);
    if (!own.length) walk(inner, key, member, depth + (name ? 1 : 0), found, to);
    else if (isShared && lists[inner.length]) lists[inner.length].push(...own);
    else {
      const caption = isShared ? null : [to, said(member, "description")];
      found.figures.push({ caption, found: own });
      if (isShared) lists[inner.length] = own;
    }
  }
  if (at && inside.length && at === found.rows.length) found.rows[at - 1].cell = "see below";
}

// Show the answer in the text of a response, and give its JSON, indented.
export function show(place, response, { takes, gives }, inputs) {
  const answer = read(response);
  const found = { rows: [], figures: [] };
  if (isRecord(answer)) walk(answer, "", gives, 0, found);
  else walk({ answer }, "", { properties: { answer: gives } }, 0, found);
  const lists = Object.entries(inputs).filter(([, value]) => isPlain(value));
  const given = lists
    .flatMap(([name, value]) => columns(value, name, below(takes, name)))
    .filter(isAxis);
  const widest = found.rows.reduce((most, row) => Math.max(most, row.whole), 0);
  const rows = found.rows.map(({ name, schema, depth, cell, whole }) => {
    const heading = named(name, said(schema, "description"));
    const shift = whole ? `number shift-${widest - whole}` : "";
    return markup`<tr><th scope="row" class="depth-${Math.min(depth, 4)}">${heading}</th>
      <td dir="auto" class="${shift}">${cell}</td></tr>`;
  });
  const table = markup`<table class="values"><tbody>${rows}</tbody></table>`;
  const figures = found.figures.map(() => markup`<figure></figure>`);
  place.innerHTML = markup`${rows.length ? table : ""}${figures}`;
  place.querySelectorAll("figure").forEach((part, i) => figure(part, found.figures[i], given));
  return write(answer);
}
