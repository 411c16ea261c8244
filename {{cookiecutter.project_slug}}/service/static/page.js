// Sends the form, shows the answer's text as it came, keeps the calls in step with the form.

// Not the form: a field called `dataset` would hide that of its form, but not that of main.
const page = document.querySelector("main");
const fields = [...page.querySelectorAll("form [name]")];
const answer = document.getElementById("outcome");
const api = new URL(page.dataset.api, location).href;
const linkable = "linkable" in page.dataset;
const longestLink = 8000; // bytes; Gunicorn takes 8190

// The texts in a field, one for each item of a list; what is empty says nothing.
function texts(field) {
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
  const members = filled.map((field) => `${JSON.stringify(field.name)}: ${literal(field)}`);
  const pairs = filled.flatMap((field) => texts(field).map((text) => [field.name, text]));
  const url = pairs.length ? `${api}?${new URLSearchParams(pairs)}` : api;
  const isLink = linkable && url.length <= longestLink;
  return { url, body: `{${members.join(", ")}}`, shape: isLink ? "link" : "body" };
}

const quoted = {
  shell: (text) => `'${text.replaceAll("'", "'\\''")}'`,
  literal: (text) => `'${text.replace(/[\\']/g, "\\$&")}'`,
};

function refresh() {
  const now = request();
  for (const part of document.querySelectorAll(".live")) {
    part.textContent = quoted[part.dataset.style](now[part.dataset.part]);
  }
  for (const calls of document.querySelectorAll("[data-shape]")) {
    calls.hidden = calls.dataset.shape !== now.shape;
  }
  const permalink = document.getElementById("permalink");
  if (!permalink) return;
  permalink.hidden = now.shape !== "link";
  const link = permalink.querySelector("a");
  link.href = now.url;
  link.textContent = now.url.slice(location.origin.length);
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

async function send({ url, body, shape }) {
  const post = { method: "POST", headers: { "Content-Type": "application/json" }, body };
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
