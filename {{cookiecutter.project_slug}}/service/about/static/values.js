// Reads a control as JSON, and puts a value into a control.

import { isList, isRecord, read, write } from "./json.js";

// The text in a control: a check box says true or false.
export const typed = (control) =>
  control.type === "checkbox" ? `${control.checked}` : control.value;

export function type(control, text) {
  if (control.type === "checkbox") control.checked = text === "true";
  else control.value = text;
}

// The texts in a control, one for each item of a list; what is empty says nothing.
export function texts(control) {
  const { kind, exact } = control.dataset;
  const text = typed(control);
  if (kind === "json") return [text.replace(/\s*[\r\n]+\s*/g, " ").trim()].filter(Boolean);
  const lines = kind === "list" ? text.split("\n") : [text];
  return lines.map((line) => (exact === undefined ? line.trim() : line)).filter(Boolean);
}

// One text as JSON. Digits stay as they are: as a number, JavaScript would round them.
function scalar(text, { literal }) {
  if (!new RegExp(`^(?:${literal || "[]"})$`).test(text)) return JSON.stringify(text);
  const plain = text.toLowerCase().replace(/^\+?(-?)0*(?=[0-9])/, "$1");
  return plain.replace(/\.(?![0-9])/, "").replace(/^\+?(-?)\./, "$10.");
}

// A control as JSON, or nothing. A single text may be JSON, that of a list if it begins as the
// service says, or a value that is no list. Inside a record, what is no JSON is a text: the service
// then says in which cell it stands.
function json(control, isInside = false) {
  const { kind, nested, one, listed } = control.dataset;
  const lines = texts(control);
  if (!lines.length) return "";
  const isOne = lines.length === 1;
  const isListed = isOne && new RegExp(listed).test(lines[0]) && isList(read(lines[0]));
  if (nested !== undefined && isInside && read(lines[0]) === undefined)
    return JSON.stringify(lines[0]);
  if (nested !== undefined || isListed) return lines[0];
  const items = lines.map((text) => scalar(text, control.dataset)).join(", ");
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

// The default of what may be left out, which the page writes into its control.
function initial(control) {
  if (control.dataset.optional === undefined) return "";
  return control.defaultValue ?? control.querySelector("[selected]")?.value ?? "";
}

// Put a value into a control, or its default for none; false if it would say another value.
function put(control, value = undefined) {
  const text = value === undefined ? initial(control) : shown(value, control.dataset.kind);
  type(control, text);
  if (value === undefined) return typed(control) === text;
  const said = json(control);
  if (!said) return value === null && control.dataset.null !== undefined;
  return write(read(said)) === write(value);
}

// Put the members of an object into controls; false if they would say another value.
export function fill(controls, value) {
  if (!isRecord(value)) return false;
  const names = controls.map(({ dataset: { name } }) => name);
  const member = (name) => (Object.hasOwn(value, name) ? value[name] : undefined);
  const isSaid = controls.map((control, at) => put(control, member(names[at])));
  return isSaid.every(Boolean) && Object.keys(value).every((name) => names.includes(name));
}
