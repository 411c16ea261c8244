// Lists as people read them: plots of their numbers, and a table that can be kept as CSV.

import { csvFile } from "./csv.js";
import { make } from "./dom.js";
import { isNumber, isRecord, isScalar, plain, write } from "./json.js";
import { plot, titled } from "./plot.js";
import { below, options, said } from "./schema.js";

const ROWS = 200; // of a table; all of them are in its CSV

// A value in a cell: as it came, but a null says what it stands for.
export function text(value, schema) {
  if (value === undefined) return "";
  if (value !== null) return isScalar(value) ? plain(value) : write(value).replace(/\n */g, " ");
  const nulls = options(schema).filter(({ type }) => type === "null");
  const [first = "none", ...more] = nulls.map(({ description }) => description ?? "none").reverse();
  return more.length ? `null: ${[first, ...more].join(", or ")}` : first;
}

// The milliseconds of a date, or of a time, which is in UTC if it names no zone; else NaN.
function time(text) {
  const [, day, clock = "00:00", zone = "Z"] =
    /^(\d{4}-\d\d-\d\d)(?:[T ]([\d:.]+)(Z|[+-]\d\d:?\d\d)?)?$/i.exec(text) ?? [];
  return Date.parse(`${day}T${clock}${zone}`);
}

const isDate = (item) => typeof item === "string" && time(item) > -Infinity;
const isDrawn = (item) => item === null || isNumber(item);
const number = (item) => (typeof item === "string" ? time(item) : digits(item));
const digits = (item) => (isNumber(item) ? Number(plain(item)) : NaN);

// A list as a column: its name, its unit, its items as they came and as numbers.
function column(name, items, about) {
  const [unit, isAxis] = [said(about, "unit"), said(about, "axis") === "x"];
  const [isTime, side] = [items.some(isDate), items.some(isNumber) ? "number" : ""];
  return { name, unit, items, about, isAxis, isTime, side, numbers: items.map(number) };
}

// The columns of a list: of records, of lists, or of values.
export function columns(list, name, schema) {
  const [held, inner] = [list.filter((item) => item !== null), below(schema, 0)];
  if (!held.length || held.some(isScalar)) return [column(name, list, { ...schema, ...inner })];
  const keys = [...new Set(held.flatMap(Object.keys))];
  const title = (key) => (held.some(isRecord) ? key : `${name} ${+key + 1}`);
  const items = (key) => list.map((item) => item?.[key]);
  return keys.map((key) => column(title(key), items(key), below(inner, key)));
}

// Whether a list is drawn, and stands beside others of its length: if it has numbers or dates, or
// is the axis. A set has no order, and each item of a tuple has a meaning of its own.
export function isSeries(list, schema) {
  const isOther = options(schema).some((option) => option["x-unordered"] || option.prefixItems);
  const isAxis = said(schema, "axis") === "x" && list.every(isScalar);
  return !isOther && (isAxis || list.every(isDrawn) || list.every(isDate));
}

// The axis of a plot, which may be dates or among the inputs, and the columns to draw over it.
function axes(found, given) {
  const { length } = found[0].items;
  const drawn = found.filter(({ items }) => items.every(isDrawn));
  const [first] = found.filter(({ items }) => items.every(isDrawn) || items.every(isDate));
  const isAlone = drawn.every((one) => one === first);
  const rises = !isAlone && first.numbers.every((one, i, all) => !i || one > all[i - 1]);
  const isOver = ({ isAxis, items }) =>
    isAxis && items.length === length && items.every((item) => isDrawn(item) || isDate(item));
  const item = column("item", found[0].items.map((_, i) => JSON.rawJSON(i + 1)), {});
  const x = [...found, ...given].find(isOver) ?? (rises ? first : item);
  const lines = length > 2 ? drawn.filter((one) => one !== x) : [];
  return { x, lines, columns: given.includes(x) ? [x, ...found] : found };
}

// Let the browser keep columns as a file.
function keep(found) {
  const title = document.title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-");
  const cell = (item) => (item === null ? "" : text(item));
  const rows = found[0].items.map((_, i) => found.map(({ items }) => cell(items[i])));
  const href = csvFile([found.map(titled), ...rows]);
  Object.assign(document.createElement("a"), { href, download: `${title}-answer.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

// Lists of one length, or of records: a plot for each unit of the numbers, and one table.
export function figure({ titles, found, isDrawn }, given) {
  const { x, lines, columns } = isDrawn ? axes(found, given) : { lines: [], columns: found };
  const { length } = found[0].items;
  const count = `${length} row${length === 1 ? "" : "s"}`;
  const under = length > ROWS ? `The first ${ROWS} of ${count}` : count;
  const label = `Table of ${titles.map(({ name }) => name).join(", ")}`;
  const cell = (i) => (one) => ({ side: one.side, text: text(one.items[i], one.about) });
  const rows = found[0].items.slice(0, ROWS).map((_, i) => ({ cells: columns.map(cell(i)) }));
  const made = make("figure", { titles, label, head: columns, rows, under });
  made.querySelector(".keep").addEventListener("click", () => keep(columns));
  const units = [...Map.groupBy(lines, ({ unit }) => unit).values()];
  made.querySelector("figcaption").after(...units.map((own) => plot(x, own)));
  return made;
}
