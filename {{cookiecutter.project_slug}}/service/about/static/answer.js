// The answer as people read it: a table of its values, figures of its lists, its files.

import { columns, figure, isSeries, named, text } from "./figure.js";
import { Digits, isList, isRecord, read, write } from "./json.js";
import { markup } from "./markup.js";
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
  const picture = kind.startsWith("image/") ? markup`<img src="${address}" alt="${name}">` : "";
  const size = Math.floor((value.replaceAll("=", "").length * 3) / 4).toLocaleString("en");
  return markup`${picture}<p><a href="${address}" download="${name}.${ending}">Download
    ${ending.toUpperCase()}</a> (${size} bytes)</p>`;
}

function cell(value, name, schema) {
  const isFile = typeof value === "string" && said(schema, "contentEncoding");
  if (isFile) return file(value, name, schema);
  if (isRecord(value)) return Object.keys(value).length ? "" : "an empty object";
  if (isList(value) && !value.length) return "an empty list";
  const unit = value === null ? "" : said(schema, "unit");
  return markup`${text(value, schema)} <small>${unit}</small>`;
}

// The rows of a table for an object, those of nested ones indented; its lists become figures, each
// called by its path.
function walk(value, schema, found, path = "", depth = 0) {
  const lists = {}; // the figures of lists that stand side by side, by their length
  for (const [name, inner] of Object.entries(value)) {
    const [about, to] = [below(schema, name), `${path}${name}`];
    const own = isList(inner) && inner.length ? columns(inner, to, about) : [];
    if (!own.length) {
      const row = { name, about, depth, value: inner, cell: cell(inner, name, about) };
      const count = found.rows.push(row);
      if (isRecord(inner)) walk(inner, about, found, `${to}.`, depth + 1);
      if (isRecord(inner) && count === found.rows.length) row.cell ||= "see below";
      continue;
    }
    const isDrawn = isSeries(inner, about);
    const one = (isDrawn && lists[inner.length]) || { titles: [], found: [], isDrawn };
    if (isDrawn) lists[inner.length] = one;
    if (!one.titles.length) found.figures.push(one);
    one.titles.push([to, said(about, "description")]);
    one.found.push(...own);
  }
}

// The number of digits before the point of a number; 0 if they are many.
function whole({ value }) {
  const { length } = value instanceof Digits ? value.match(/^-?\d*/)[0] : "";
  return length > 8 ? 0 : length;
}

function table(rows) {
  const widest = rows.reduce((most, row) => Math.max(most, whole(row)), 0);
  const row = (one) => markup`<tr>
    <th scope="row" class="depth-${Math.min(one.depth, 4)}">
      ${named(one.name, said(one.about, "description"))}</th>
    <td dir="auto" class="${whole(one) && `number shift-${widest - whole(one)}`}">${one.cell}</td>
  </tr>`;
  return markup`<table class="values"><tbody>${rows.map(row)}</tbody></table>`;
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
  place.innerHTML = found.rows.length ? table(found.rows) : "";
  place.append(...found.figures.map((one) => figure(one, given)));
  return write(answer);
}
