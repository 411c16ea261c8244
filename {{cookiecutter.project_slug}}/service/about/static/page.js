// Sends the form, shows the answer's text as it came, keeps the calls in step with the form.

// Not the form: a field called `dataset` would hide that of its form, but not that of main.
const page = document.querySelector("main");
const fields = [...page.querySelectorAll("form [name]")];
const answer = document.getElementById("outcome");
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
function request() {
  const found = fields.flatMap(parts);
  const filled = fields.filter((field) => field.type !== "file" && texts(field).length);
  const body = `{${filled.map(member).join(", ")}}`;
  const pairs = found.map(({ name, value }) => [name, value]);
  const url = `${api}?${new URLSearchParams(pairs)}`;
  const isNested = filled.some((field) => field.dataset.nested !== undefined);
  const isBody = page.dataset.sent === "link" && (isNested || url.length > longestLink);
  const shape = isBody ? "body" : page.dataset.sent;
  const all = Object.entries({ api, url, body }).map(([kind, value]) => ({ kind, value }));
  return { url, body, shape, parts: [...all, ...found] };
}

const quotes = {
  shell: (text) => (/[^\w@%+=:,./-]/.test(text) ? `'${text.replaceAll("'", "'\\''")}'` : text),
  literal: (text) => {
    const escaped = text.replace(/[\\']/g, "\\$&").replaceAll("\n", "\\n").replaceAll("\r", "\\r");
    return `'${escaped}'`;
  },
};

// Write each part of the request into the line for its kind, quoted.
function fill(parts, quote, lines) {
  const write = (part) => (_, key) => quotes[quote](part[key]);
  return parts.map((part) => (lines[part.kind] ?? "").replace(/\{(\w+)\}/g, write(part))).join("");
}

function refresh() {
  const { url, shape, parts } = request();
  for (const call of document.querySelectorAll(".live")) {
    call.textContent = fill(parts, call.dataset.quote, JSON.parse(call.dataset.lines));
  }
  for (const shaped of document.querySelectorAll("[data-shape]")) {
    shaped.hidden = shaped.dataset.shape !== shape;
  }
  for (const link of document.querySelectorAll("#permalink a")) {
    link.href = url;
    link.textContent = url.slice(location.origin.length);
  }
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
function mark(reasons) {
  for (const field of fields) {
    const mine = reasonsFor(field, reasons).join("\n");
    document.getElementById(`${field.id}-error`).textContent = mine;
    field.ariaInvalid = mine ? "true" : null;
  }
  page.querySelector("[aria-invalid]")?.focus();
}

function show(state, status, text = "") {
  answer.dataset.state = state;
  document.getElementById("status").textContent = status;
  const shown = Object.assign(document.getElementById("text"), { textContent: "", hidden: !text });
  // JSON has no spaces: lines break after its items and names, and not within them.
  for (const item of text.split(/(?<=,|":)/)) shown.append(document.createElement("wbr"), item);
}

// A field of nested values must be JSON, or the body would not be.
function notJson() {
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

async function send({ url, body, parts, shape }) {
  const form = new FormData();
  for (const { kind, name, value, file } of parts) {
    if (kind === "text") form.append(name, value);
    else if (file instanceof File) form.append(name, file);
  }
  const json = { headers: { "Content-Type": "application/json" }, body };
  const post = { method: "POST", ...(shape === "form" ? { body: form } : json) };
  const response = await (shape === "link" ? fetch(url) : fetch(api, post));
  const text = await response.text();
  if (response.ok) {
    const seed = response.headers.get("Model-Seed");
    return { state: "good", status: `${response.status} OK${seed ? `, seed ${seed}` : ""}`, text };
  }
  const isProblem = response.headers.get("Content-Type")?.includes("problem+json");
  const { title, detail, errors } = isProblem ? JSON.parse(text) : { title: "", detail: text };
  return { state: "bad", status: `${response.status} ${title}`, text: detail, reasons: errors };
}

let latest = 0;

page.addEventListener("submit", async (event) => {
  event.preventDefault();
  const mine = ++latest; // an answer that comes after a newer question is not shown
  const faults = notJson();
  mark(faults);
  if (Object.keys(faults).length) return show("bad", "Not sent: a field is not JSON.");
  show("busy", "Running…");
  const failed = (error) => ({ state: "bad", status: "No answer came.", text: error.message });
  const result = await send(request()).catch(failed);
  if (mine !== latest) return;
  show(result.state, result.status, result.text);
  answer.scrollIntoView({ block: "nearest" });
  mark(result.reasons ?? {});
});

async function copy(button) {
  const code = button.parentElement.querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch { // without https browsers have no clipboard: select the call, to be copied by hand
    getSelection().selectAllChildren(code);
    if (!document.execCommand("copy")) return;
  }
  const spoken = document.getElementById("copied");
  button.textContent = spoken.textContent = "Copied";
  setTimeout(() => ([button.textContent, spoken.textContent] = ["Copy", ""]), 2000);
}

for (const button of document.querySelectorAll(".copy")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}

page.querySelector("fieldset").hidden = false;
page.querySelector("form").noValidate = true; // the service knows best what is valid, and says why
page.addEventListener("input", refresh);
refresh();
