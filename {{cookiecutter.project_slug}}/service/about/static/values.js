// Reads a control as JSON, and puts a value into a control.

import { isList, read, write } from "./json.js";

// The texts in a control, one for each item of a list; what is empty says nothing.
export function texts({ value, dataset: { kind, exact } }) {
  if (kind === "json") return [value.replace(/\s*[\r\n]+\s*/g, " ").trim()].filter(Boolean);
  const lines = kind === "list" ? value.split("\n") : [value];
  return lines.map((line) => (exact === undefined ? line.trim() : line)).filter(Boolean);
}

// One text as JSON. Digits stay as they are: as a number, JavaScript would round them.
function scalar(text, { literal }) {
  if (!new RegExp(`^(?:${literal || "[]"})$`).test(text)) return JSON.stringify(text);
  const plain = text.toLowerCase().replace(/^\+?(-?)0*(?=[0-9])/, "$1");
  return plain.replace(/\.(?![0-9])/, "").replace(/^\+?(-?)\./, "$10.");
}

// Whether one text is the JSON of a list, as the service reads it in a link. What may be any text is
// only read so in the place of a list of texts.
function isListed(text, { kind, exact, one }) {
  const isOfTexts = exact !== undefined;
  if (isOfTexts && (kind !== "list" || one !== undefined)) return false;
  try {
    return (isOfTexts ? /^\s*\[\s*["\]]/ : /^\[/).test(text) && isList(read(text));
  } catch {
    return false;
  }
}

// A control as JSON, or nothing. A single text may be JSON, or a value that is no list.
export function json(control) {
  const { kind, nested, one } = control.dataset;
  const lines = texts(control);
  if (!lines.length) return "";
  const isOne = lines.length === 1;
  if (nested !== undefined || (isOne && isListed(lines[0], control.dataset))) return lines[0];
  const items = lines.map((text) => scalar(text, control.dataset)).join(", ");
  return kind === "list" && !(isOne && one !== undefined) ? `[${items}]` : items;
}

// Controls as the members of a JSON object; nothing if they say nothing.
export function members(controls) {
  const said = controls.map((control) => [control.dataset.name, json(control)]);
  return said.filter(([, text]) => text).map(([name, text]) => `${JSON.stringify(name)}: ${text}`);
}

export const own = (value, name) => (Object.hasOwn(value, name) ? value[name] : undefined);

// A value as the text that a control holds for it.
function text(value, { dataset: { kind } }) {
  if (value === null && kind !== "json") return "";
  if (kind === "list" && isList(value)) return value.map((item) => text(item, { dataset: {} })).join("\n");
  return kind === "json" || typeof value !== "string" ? write(value) : value;
}

// The text of the default, which the page writes into the controls of what may be left out.
const initial = (control) =>
  control.required ? "" : (control.defaultValue ?? control.querySelector("[selected]")?.value ?? "");

// Put a value into a control, or its default for none; false if it would say another value.
export function put(control, value) {
  control.value = value === undefined ? initial(control) : text(value, control);
  if (value === undefined) return true;
  const said = json(control);
  if (!said) return value === null && control.dataset.null !== undefined;
  return write(read(said)) === write(value);
}
