// The answer as people read it: a table of its values, plots and tables of its lists, its files.

import { Digits, isList, isRecord, isScalar, read, write } from "./json.js";
import { plot } from "./plot.js";
import { below, options, said } from "./schema.js";

const ROWS = 200; // of a table; all of them are in its CSV
const FILES = {
  iVBORw0KGgo: "image/png", "/9j/": "image/jpeg", R0lGOD: "image/gif", UklGR: "image/webp",
  PHN2Zy: "image/svg+xml", PD94bW: "image/svg+xml", JVBERi: "application/pdf",
};

function make(name, properties = {}, ...children) {
  const found = Object.assign(document.createElement(name), properties);
  found.append(...children);
  return found;
}

// A value in a cell of a table: as it came.
function text(value, schema) {
  if (value === null) {
    const nulls = options(schema).filter(({ type }) => type === "null");
    return nulls.map(({ description }) => description ?? "none").join(", or ") || "none";
  }
  return isScalar(value) ? `${value}` : write(value).replace(/\n */g, " ");
}

// A file in base64: a picture as itself, and each to be kept.
function file(value, name, kind) {
  const begins = Object.keys(FILES).find((start) => value.startsWith(start));
  const type = kind ?? FILES[begins] ?? "application/octet-stream";
  const href = `data:${type};base64,${value}`;
  const ending = type.split(/[/+]/)[1].replace("octet-stream", "bin");
  const size = `${Math.floor((value.length * 3) / 4).toLocaleString("en")} bytes`;
  const link = make("a", { href, download: `${name}.${ending}` }, `Download ${ending.toUpperCase()}`);
  const picture = type.startsWith("image/") ? [make("img", { src: href, alt: name })] : [];
  return [...picture, make("p", {}, link, ` (${size})`)];
}

// The columns of a list, each with its name, unit and items: of records, of lists, or of values.
function columns(list, name, schema) {
  const keys = new Set(list.flatMap((item) => (isScalar(item) ? [] : Object.keys(item))));
  const column = (title, items, about) => ({ name: title, unit: said(about, "unit"), items, about });
  if (!keys.size) return [column(name, list, { ...schema, ...below(schema, 0) })];
  const title = (key) => (list.some(isRecord) ? key : `${name} ${+key + 1}`);
  const about = (key) => below(below(schema, 0), key);
  return [...keys].map((key) => column(title(key), list.map((item) => item?.[key]), about(key)));
}

const quoted = (cell) => (/[",\n\r]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

function keep(table, name) {
  const cell = (value) => quoted(value === null || value === undefined ? "" : text(value));
  const lines = [table.map(({ name: title }) => quoted(title))];
  for (const i of table[0].items.keys()) lines.push(table.map(({ items }) => cell(items[i])));
  const file = new Blob([lines.map((line) => `${line.join(",")}\r\n`).join("")], { type: "text/csv" });
  const href = URL.createObjectURL(file);
  make("a", { href, download: `${name}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

// How many digits a number has before its point.
const whole = (value) => (value instanceof Digits ? value.match(/^-?\d*/)[0].length : 0);

function tableOf(found, name) {
  const all = found[0].items;
  const unit = (about) => make("small", { dir: "auto" }, ` ${said(about, "unit") ?? ""}`);
  const side = ({ items }) => (items.some((item) => item instanceof Digits) ? "number" : "");
  const heading = (column) =>
    make("th", { scope: "col", className: side(column) }, column.name, unit(column.about));
  const cell = (column, i) => {
    const shown = column.items[i] === undefined ? "" : text(column.items[i], column.about);
    return make("td", { className: side(column), dir: "auto" }, shown);
  };
  const table = make(
    "table",
    {},
    make("thead", {}, make("tr", {}, ...found.map(heading))),
    make("tbody", {}, ...all.slice(0, ROWS).map((_, i) => make("tr", {}, ...found.map((column) => cell(column, i))))),
  );
  const region = { className: "rows", tabIndex: 0, role: "region", ariaLabel: `Table of ${name}` };
  const button = make("button", { type: "button", className: "keep" }, "Download CSV");
  button.addEventListener("click", () => keep(found, name));
  const rows = `${all.length} row${all.length === 1 ? "" : "s"}`;
  const number = all.length > ROWS ? `The first ${ROWS} of ${rows}` : rows;
  return [make("div", region, table), make("p", { className: "under" }, number, button)];
}

const isAxis = ({ about }) => said(about, "axis") === "x";
const rises = ({ numbers }) => numbers.every((number, i) => i === 0 || number > numbers[i - 1]);

const named = (name, about) => [
  make("b", { dir: "auto" }, name),
  ...(about ? [" ", make("small", { dir: "auto" }, about)] : []),
];

// Lists of one length: a plot for each unit of the numbers, and one table.
function figure({ caption, found }, given) {
  const name = found.map((column) => column.name).join(", ");
  const titles = caption ? [caption] : found.map(({ name, about }) => [name, said(about, "description")]);
  const drawn = make("figure", {}, make("figcaption", {}, ...titles.map((title) => make("p", {}, ...named(...title)))));
  const x = caption ? undefined : plotted(drawn, found, given);
  drawn.append(...tableOf(given.includes(x) ? [x, ...found] : found, name));
  return drawn;
}

// Draw the columns of numbers, and give the column that is the axis.
function plotted(drawn, found, given) {
  const length = found[0].items.length;
  const isNumber = (item) => item === null || item instanceof Digits;
  const numeric = [...found, ...given].filter(({ items }) => items.length === length && items.every(isNumber));
  for (const column of numeric) column.numbers = column.items.map((item) => (item === null ? NaN : +item));
  const [first, second] = numeric.filter((column) => !given.includes(column));
  const items = Array.from({ length }, (_, i) => i + 1);
  const counted = { name: "item", items, numbers: items };
  const x = numeric.find(isAxis) ?? (second && rises(first) ? first : counted);
  const lines = numeric.filter((column) => column !== x && !given.includes(column));
  for (const unit of length > 2 ? new Set(lines.map((column) => column.unit)) : []) {
    plot(drawn, x, lines.filter((column) => column.unit === unit));
  }
  return x;
}

// Put the decimal points of numbers below each other, but for long ones.
function align(cells) {
  const numbers = cells.filter((cell) => cell.whole && cell.whole <= 8);
  const widest = Math.max(...numbers.map((cell) => cell.whole));
  for (const cell of numbers) cell.style.paddingInlineStart = `calc(1rem + ${widest - cell.whole}ch)`;
}

// The rows of a table for an object, those of nested ones indented; its lists become figures.
function walk(value, name, schema, depth, found) {
  const label = { scope: "row", className: `depth-${Math.min(depth, 4)}` };
  const heading = make("th", label, ...named(name, said(schema, "description")));
  const add = (...parts) => found.rows.push(make("tr", {}, heading, make("td", { dir: "auto" }, ...parts)));
  if (isRecord(value)) {
    if (name) add();
    const lists = {};
    for (const [key, inner] of Object.entries(value)) {
      const member = below(schema, key);
      if (!isList(inner) || !inner.length) {
        walk(inner, key, member, depth + (name ? 1 : 0), found);
      } else if (inner.every(isScalar)) {
        if (!lists[inner.length]) found.figures.push((lists[inner.length] = { found: [] }));
        lists[inner.length].found.push(...columns(inner, key, member));
      } else {
        const caption = [key, said(member, "description")];
        found.figures.push({ caption, found: columns(inner, key, member) });
      }
    }
  } else if (isList(value)) {
    add("an empty list");
  } else if (typeof value === "string" && said(schema, "contentEncoding")) {
    add(...file(value, name, said(schema, "contentMediaType")));
  } else {
    add(text(value, schema), make("small", {}, ` ${said(schema, "unit") ?? ""}`));
    found.rows.at(-1).lastChild.whole = whole(value);
  }
}

// The answer in the text of a response. The inputs may have the axis of a plot.
export function shown(response, { takes, gives }, inputs) {
  const answer = read(response);
  const given = Object.entries(inputs).filter(([, value]) => isList(value) && value.length && value.every(isScalar));
  const axes = given.flatMap(([name, value]) => columns(value, name, below(takes, name))).filter(isAxis);
  const found = { rows: [], figures: [] };
  const isObject = isRecord(answer);
  walk(isObject ? answer : { answer }, "", isObject ? gives : { properties: { answer: gives } }, 0, found);
  align(found.rows.map((row) => row.lastChild));
  const table = make("table", { className: "values" }, make("tbody", {}, ...found.rows));
  const figures = found.figures.map((each) => figure(each, axes));
  return { parts: found.rows.length ? [table, ...figures] : figures, json: write(answer) };
}
