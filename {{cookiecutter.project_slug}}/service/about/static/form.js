// The form: what it asks for, as a request, and what is wrong with it.

import { post } from "./ask.js";
import { isList, read } from "./json.js";
import { hold, object, texts } from "./values.js";
import { enhance, find } from "./views.js";

// Not the form: a field called `dataset` would hide that of its form, but not that of main.
export const page = document.querySelector("main");
const form = page.querySelector(".ask"); // all around it
const api = new URL(page.dataset.api, location).href;
const longestLink = 8000; // bytes; Gunicorn takes 8190

const fields = enhance(form);
const isText = ({ type }) => type !== "file";
const typed = fields.filter(isText);

// A page that is reloaded keeps what was typed; one opened by a link says what the link says.
const [{ type }] = performance.getEntriesByType("navigation");
const kept = new Map(type === "navigate" ? [] : history.state);
for (const field of typed) if (kept.has(field.name)) hold(field, kept.get(field.name));
for (const kind of ["beforeunload", "pagehide"])
  addEventListener(kind, () => {
    history.replaceState(new Map(typed.map(({ name, value }) => [name, value])), "");
  });

// A field as parts of the request: its texts or files. A file that is missing is called as it.
function parts(field) {
  const { name, required, multiple } = field;
  if (isText(field)) return texts(field).map((value) => ({ kind: "text", name, value }));
  const files = field.files.length || !required ? [...field.files] : [{ name }];
  const kind = multiple ? "files" : "file";
  const at = (file) => `@${JSON.stringify(file.name)}`;
  return files.map((file) => ({ kind, name, value: file.name, at: at(file), file }));
}

// The request that the form makes, and how: as a form, as a link, or as a body. What is no JSON
// goes into a link, for which the service says in which field it stands.
export function request() {
  const found = fields.flatMap(parts);
  const body = object(typed);
  const url = `${api}?${new URLSearchParams(found.map(({ name, value }) => [name, value]))}`;
  const isNested = fields.some(({ dataset: { nested }, value }) => nested === "" && value.trim());
  const isLink = url.length <= longestLink && (!isNested || read(body) === undefined);
  const shape = isLink || page.dataset.sent === "form" ? page.dataset.sent : "body";
  const data = new FormData();
  for (const { name, value, file = value } of found)
    if (file === value || file instanceof File) data.append(name, file);
  const options = { body: post("application/json", body), form: { method: "POST", body: data } };
  const all = Object.entries({ api, url, body }).map(([kind, value]) => ({ kind, value }));
  const address = shape === "link" ? url : api;
  return { url, body, shape, address, options: options[shape], parts: [...all, ...found] };
}

// The place of the error of a control; a cell of a table gets one while it has an error.
function place(control) {
  const own = document.getElementById(`${control.id}-error`);
  if (own) return own;
  const id = `error-${form.querySelectorAll(".of-cell").length}`;
  const made = Object.assign(document.createElement("p"), { id, className: "error of-cell" });
  control.after(made);
  control.setAttribute("aria-describedby", made.id);
  return made;
}

// The place of a fault for people, who count the items of a list from 1.
export function counted(path, inputs) {
  let value = inputs;
  const step = (name) => {
    const said = isList(value) ? `, item ${Number(name) + 1}` : `.${name}`;
    value = value?.[name];
    return said;
  };
  return path.split(".").map(step).join("").slice(1);
}

// Put each reason next to its control, and the focus on the first.
export function mark(reasons, inputs) {
  for (const made of form.querySelectorAll(".of-cell")) made.remove();
  for (const told of form.querySelectorAll(".error")) told.textContent = "";
  for (const control of form.querySelectorAll("[aria-invalid]")) control.ariaInvalid = null;
  for (const [path, reason] of Object.entries(reasons)) {
    const { control, below } = find(fields, path) ?? {};
    if (!control) continue;
    place(control).append(below && `${counted(path, inputs)}: `, `${reason}\n`);
    const isShown = "[data-name]:not([hidden])";
    const box = control.hidden && control.nextElementSibling;
    (box ? box.querySelector(isShown) : control).ariaInvalid = "true";
  }
  form.querySelector("[aria-invalid]")?.focus();
}
