// The form: what it asks for, as a request, and what is wrong with it.

// Not the form: a field called `dataset` would hide that of its form, but not that of main.
export const page = document.querySelector("main");
export const fields = [...page.querySelectorAll("form [name]")];
const api = new URL(page.dataset.api, location).href;
const longestLink = 8000; // bytes; Gunicorn takes 8190

// The texts in a field, one for each item of a list; what is empty says nothing.
function texts({ value, dataset: { kind, exact } }) {
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

// A field as a member of the JSON object. A single text may be JSON, or a value that is no list.
function member(field) {
  const { kind, nested, exact, one } = field.dataset;
  const lines = texts(field);
  const isOne = lines.length === 1;
  const isJson = nested !== undefined || (isOne && exact === undefined && lines[0].startsWith("["));
  const values = isJson ? lines[0] : lines.map((text) => scalar(text, field.dataset)).join(", ");
  const isList = kind === "list" && !isJson && !(isOne && one !== undefined);
  return `${JSON.stringify(field.name)}: ${isList ? `[${values}]` : values}`;
}

// A field as parts of the request: its texts or files. A file that is missing is called as it.
function parts(field) {
  const { name, required, multiple } = field;
  if (field.type !== "file") return texts(field).map((value) => ({ kind: "text", name, value }));
  const files = field.files.length || !required ? [...field.files] : [{ name }];
  const kind = multiple ? "files" : "file";
  const at = (file) => `@${JSON.stringify(file.name)}`;
  return files.map((file) => ({ kind, name, value: file.name, at: at(file), file }));
}

// The request that the form makes, and how: as a form, as a link, or as a body.
export function request() {
  const found = fields.flatMap(parts);
  const filled = fields.filter((field) => field.type !== "file" && texts(field).length);
  const body = `{${filled.map(member).join(", ")}}`;
  const pairs = found.map(({ name, value }) => [name, value]);
  const url = `${api}?${new URLSearchParams(pairs)}`;
  const isNested = filled.some((field) => field.dataset.nested !== undefined);
  const isBody = page.dataset.sent === "link" && (isNested || url.length > longestLink);
  const shape = isBody ? "body" : page.dataset.sent;
  const all = Object.entries({ api, url, body }).map(([kind, value]) => ({ kind, value }));
  return { api, url, body, shape, parts: [...all, ...found] };
}

// The reasons that concern a field, which are named by its name or by what is below it.
function reasonsFor(field, reasons) {
  const mine = Object.entries(reasons).filter(([name]) => `${name}.`.startsWith(`${field.name}.`));
  return mine.map(([name, reason]) => {
    const below = name.slice(field.name.length + 1);
    if (/^\d+$/.test(below)) return `Item ${Number(below) + 1}: ${reason}`;
    return below ? `${below}: ${reason}` : reason;
  });
}

// Put each reason next to its field, and the focus on the first.
export function mark(reasons) {
  for (const field of fields) {
    const mine = reasonsFor(field, reasons).join("\n");
    document.getElementById(`${field.id}-error`).textContent = mine;
    field.ariaInvalid = mine ? "true" : null;
  }
  page.querySelector("[aria-invalid]")?.focus();
}

// A field of nested values must be JSON, or the body would not be.
export function notJson() {
  const reasons = {};
  for (const field of fields.filter((field) => field.dataset.kind === "json" && field.value)) {
    try {
      JSON.parse(field.value);
    } catch (error) {
      reasons[field.name] = `This is not JSON. ${error.message}`;
    }
  }
  return reasons;
}
