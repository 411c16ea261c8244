// Reads a control as JSON, and puts a value into a control.

import { isList, isRecord, read, write } from "./json.js";

// The texts in a control, one for each item of a list; what is empty says nothing.
export function texts({ value, dataset: { kind, exact } }) {
  if (kind === "json") return [value.replace(/\s*[\r\n]+\s*/g, " ").trim()].filter(Boolean);
  const lines = kind === "list" ? value.split("\n") : [value];
  return lines.map((line) => (exact === undefined ? line.trim() : line)).filter(Boolean);
}

// One text as JSON. Digits stay as they are: as a number, JavaScript would round them.
function scalar(text, literal) {
  if (!new RegExp(`^(?:${literal || "[]"})$`).test(text)) return JSON.stringify(text);
  const plain = text.toLowerCase().replace(/^\+?(-?)0*(?=[0-9])/, "$1");
  return plain.replace(/\.(?![0-9])/, "").replace(/^\+?(-?)\./, "$10.");
}

// A control as JSON, or nothing. A single text may be JSON, that of a list if it begins as the
// service says, or a value that is no list. Inside a record, what is no JSON is a text: the service
// then says in which cell it stands.
function json(control, isInside = false) {
  const { kind, literal, nested, one, listed } = control.dataset;
  const lines = texts(control);
  const [text = "", second] = lines;
  if (nested !== undefined)
    return text && isInside && read(text) === undefined ? JSON.stringify(text) : text;
  const isOne = second === undefined;
  if (!text || (isOne && new RegExp(listed).test(text) && isList(read(text)))) return text;
  const items = lines.map((line) => scalar(line, literal)).join(", ");
  return kind === "list" && !(isOne && one !== undefined) ? `[${items}]` : items;
}

// Controls as a JSON object, of which those that say nothing are no members.
export function object(controls, isInside = false) {
  const said = controls.map((control) => [control.dataset.name, json(control, isInside)]);
  const members = said.filter(([, text]) => text);
  return `{${members.map(([name, text]) => `${JSON.stringify(name)}: ${text}`).join(", ")}}`;
}

// A value as the text that a control holds for it.
function shown(value, kind) {
  if (value === null && kind !== "json") return "";
  if (kind === "list" && isList(value)) return value.map((item) => shown(item)).join("\n");
  return kind === "json" || typeof value !== "string" ? write(value) : value;
}

// Let a control say a text, and its view show it.
export function hold(control, text) {
  control.value = text;
  control.dispatchEvent(new Event("put"));
}

// Put a value into a control, or its default for none; false if it would say another value.
function put(control, value) {
  const { kind, initial = "", null: isNull } = control.dataset;
  const text = value === undefined ? initial : shown(value, kind);
  hold(control, text);
  if (value === undefined) return control.value === text;
  const said = json(control);
  return said ? write(read(said)) === write(value) : value === null && isNull !== undefined;
}

// Put the members of an object into controls; false if they would say another value.
export function fill(controls, value) {
  if (!isRecord(value)) return false;
  const members = new Map(Object.entries(value));
  const isSaid = controls.map((control) => put(control, members.get(control.dataset.name)));
  const known = controls.filter((control) => members.has(control.dataset.name));
  return isSaid.every(Boolean) && known.length === members.size;
}
