// Sends the form, shows the answer's text as it came, keeps the calls in step with the form.

// Not the form: a field called `dataset` would hide that of its form, but not that of main.
const page = document.querySelector("main");
const fields = [...page.querySelectorAll("form [name]")];
const answer = document.getElementById("outcome");
const api = new URL(page.dataset.api, location).href;
const sent = page.dataset.sent ?? "body"; // how: as a link, a form, or a body
const longestLink = 8000; // bytes; Gunicorn takes 8190

// The texts in a field, one for each item of a list; what is empty says nothing.
function texts(field) {
  if (field.type === "file") return [...field.files].map((file) => file.name);
  const lines = field.dataset.kind === "list" ? field.value.split("\n") : [field.value];
  return lines.map((line) => ("numeric" in field.dataset ? line.trim() : line)).filter(Boolean);
}

// One text as JSON. Digits stay as they are: as a number, JavaScript would round them.
function scalar(field, text) {
  const isLiteral = new RegExp(`^(?:${field.dataset.literal || "[]"})$`).test(text);
  return isLiteral ? text.replace(/^(-?)0+(?=[0-9])/, "$1") : JSON.stringify(text);
}

function literal(field) {
  const kind = field.dataset.kind;
  if (kind === "json") return field.value.replace(/\s*[\r\n]+\s*/g, " ").trim();
  if (kind === "choice") return field.selectedOptions[0].dataset.json;
  const found = texts(field).map((text) => scalar(field, text));
  return kind === "list" ? `[${found.join(", ")}]` : found[0];
}

// The request that the form makes: a link where that is possible, else a body.
function request() {
  const filled = fields.filter((field) => texts(field).length);
  const members = filled
    .filter((field) => field.type !== "file")
    .map((field) => `${JSON.stringify(field.name)}: ${literal(field)}`);
  const pairs = filled.flatMap((field) => texts(field).map((text) => [field.name, text]));
  const url = pairs.length ? `${api}?${new URLSearchParams(pairs)}` : api;
  const shape = sent === "link" && url.length > longestLink ? "body" : sent;
  return { url, body: `{${members.join(", ")}}`, parts: fields.flatMap(parts), shape };
}

// A field as the parts of a form: each of its files or texts, and the file that is still missing.
function parts(field) {
  const { name, multiple } = field;
  if (field.type !== "file") {
    const found = field.dataset.kind === "json" && field.value ? [literal(field)] : texts(field);
    return found.map((text) => ({ name, text }));
  }
  const missing = field.required && !field.files.length ? [{ name, file: name, multiple }] : [];
  return [...field.files].map((data) => ({ name, file: data.name, data, multiple })).concat(missing);
}

const quoted = {
  shell: (text) => (/[^\w@%+=:,./-]/.test(text) ? `'${text.replaceAll("'", "'\\''")}'` : text),
  literal: (text) => {
    const escaped = text.replace(/[\\']/g, "\\$&").replaceAll("\n", "\\n").replaceAll("\r", "\\r");
    return `'${escaped}'`;
  },
  curl: (parts) => parts.map((part) => ` \\\n  ${option(part)}`).join(""),
  Python: (parts) => {
    const files = Object.groupBy(parts.filter(({ file }) => file), ({ name }) => name);
    return Object.values(files).map(assign).join("");
  },
  R: (parts) => parts.map((part) => `\n    ${quoted.literal(part.name)} = ${inR(part)}`).join(","),
  JavaScript: (parts) => parts.map((part) => `form.append(${inJavaScript(part)});\n`).join(""),
};

function option({ name, text, file }) {
  if (file === undefined) return `--form-string ${quoted.shell(`${name}=${text}`)}`;
  return `-F ${quoted.shell(`${name}=@"${file.replace(/[\\"]/g, "\\$&")}"`)}`;
}

function assign(files) {
  const read = files.map(({ file }) => `read(${quoted.literal(file)})`).join(", ");
  return `inputs[${quoted.literal(files[0].name)}] = ${files[0].multiple ? `[${read}]` : read}\n`;
}

function inR({ text, file }) {
  return file === undefined ? quoted.literal(text) : `curl::form_file(${quoted.literal(file)})`;
}

function inJavaScript({ name, text, file }) {
  const [field, value] = [name, text ?? file].map(quoted.literal);
  return file === undefined ? `${field}, ${value}` : `${field}, await read(${value}), ${value}`;
}

function refresh() {
  const now = request();
  for (const part of document.querySelectorAll(".live")) {
    part.textContent = quoted[part.dataset.style](now[part.dataset.part]);
  }
  for (const calls of document.querySelectorAll("[data-shape]")) {
    calls.hidden = calls.dataset.shape !== now.shape;
  }
  for (const field of fields.filter((field) => field.type === "file")) {
    field.nextElementSibling.textContent = sizes([...field.files]).join("\n");
  }
  const permalink = document.getElementById("permalink");
  if (!permalink) return;
  permalink.hidden = now.shape !== "link";
  const link = permalink.querySelector("a");
  link.href = now.url;
  link.textContent = now.url.slice(location.origin.length);
}

// The browser shows the name of a file that is chosen, but only the number of several.
function sizes(files) {
  return files.map(({ name, size }) => {
    const units = size < 1e6 ? "kB" : "MB";
    const amount = `${(size / (size < 1e6 ? 1e3 : 1e6)).toFixed(1)} ${units}`;
    return files.length > 1 ? `${name}: ${amount}` : amount;
  });
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
  Object.assign(document.getElementById("text"), { textContent: text, hidden: !text });
}

// A field of nested values must be JSON, or the body would not be.
function notJson() {
  const reasons = {};
  for (const field of fields.filter((field) => field.dataset.kind === "json" && field.value)) {
    try {
      JSON.parse(literal(field));
    } catch (error) {
      reasons[field.name] = `This is not JSON. ${error.message}`;
    }
  }
  return reasons;
}

async function send({ url, body, parts, shape }) {
  const form = new FormData();
  for (const { name, text, file, data } of parts) {
    if (data) form.append(name, data, file);
    else if (text !== undefined) form.append(name, text);
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

page.querySelector("form").noValidate = true; // the service knows best what is valid, and says why
page.addEventListener("input", refresh);
refresh();
