// The answer as people read it: a table of its values, figures of its lists, its files.

import { make } from "./dom.js";
import { columns, figure, isSeries, text } from "./figure.js";
import { isList, isNumber, isRecord, plain, read, write } from "./json.js";
import { below, gives, said, takes } from "./schema.js";

const BEGINNINGS = {
  iVBORw0: "image/png",
  "/9j/": "image/jpeg",
  PHN2Zy: "image/svg+xml",
  JVBERi: "application/pdf",
};

// A file in base64: a picture as itself, and each to be kept.
function file(value, name, schema) {
  const start = Object.keys(BEGINNINGS).find((beginning) => value.startsWith(beginning));
  const kind = said(schema, "contentMediaType") ?? BEGINNINGS[start] ?? "application/bin";
  const [address, ending] = [`data:${kind};base64,${value}`, kind.split(/[/+]/)[1]];
  const pictures = kind.startsWith("image/") ? [{ address, name }] : [];
  const size = Math.floor((value.replaceAll("=", "").length * 3) / 4).toLocaleString("en");
  return { pictures, address, kept: `${name}.${ending}`, ending: ending.toUpperCase(), size };
}

// The cell beside the name of a value.
function cell(value, name, schema) {
  const isFile = typeof value === "string" && said(schema, "contentEncoding");
  if (isFile) return { files: file(value, name, schema) };
  if (isRecord(value)) return { text: Object.keys(value).length ? "" : "an empty object" };
  if (isList(value) && !value.length) return { text: "an empty list" };
  return { text: text(value, schema), unit: value === null ? "" : said(schema, "unit") };
}

// The rows of a table for an object, those of nested ones indented; its lists become figures, each
// called by its path.
function walk(value, schema, found, path = "", depth = 0) {
  const lists = {}; // the figures of lists that stand side by side, by their length
  for (const [name, inner] of Object.entries(value)) {
    const [member, to] = [below(schema, name), `${path}${name}`];
    const about = said(member, "description");
    const own = isList(inner) && inner.length ? columns(inner, to, member) : [];
    if (!own.length) {
      const row = { name, about, value: inner, depth: `depth-${Math.min(depth, 4)}` };
      const count = found.rows.push(Object.assign(row, cell(inner, name, member)));
      if (isRecord(inner)) walk(inner, member, found, `${to}.`, depth + 1);
      if (isRecord(inner) && count === found.rows.length) row.text ||= "see below";
      continue;
    }
    const isDrawn = isSeries(inner, member);
    const one = (isDrawn && lists[inner.length]) || { titles: [], found: [], isDrawn };
    if (isDrawn) lists[inner.length] = one;
    if (!one.titles.length) found.figures.push(one);
    one.titles.push({ name: to, about });
    one.found.push(...own);
  }
}

// The number of digits before the point of a number; 0 if they are many.
function whole({ value }) {
  const { length } = isNumber(value) ? plain(value).match(/^-?\d*/)[0] : "";
  return length > 8 ? 0 : length;
}

// Show the answer in the text of a response, and give its JSON, indented.
export function show(place, response, inputs) {
  const answer = read(response);
  const found = { rows: [], figures: [] };
  if (isRecord(answer)) walk(answer, gives, found);
  else walk({ answer }, { properties: { answer: gives } }, found);
  const given = Object.entries(inputs)
    .filter(([, value]) => isList(value))
    .flatMap(([name, value]) => columns(value, name, below(takes, name)))
    .filter(({ isAxis }) => isAxis);
  const widest = Math.max(...found.rows.map(whole));
  for (const row of found.rows) row.side = whole(row) && `number shift-${widest - whole(row)}`;
  place.replaceChildren(...(found.rows.length ? [make("values", found)] : []));
  place.append(...found.figures.map((one) => figure(one, given)));
  return write(answer);
}
