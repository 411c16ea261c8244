// A batch: a CSV file that is sent in parts, and its answers beside its inputs.

import { readTable, writeTable } from "./csv.js";
import { dropped } from "./dom.js";
import { markup } from "./markup.js";

const panel = document.querySelector(".batch");
const part = (name) => panel.querySelector(`[data-part=${name}]`);
const { known, required, most, least } = Object.fromEntries(
  Object.entries(panel.dataset).map(([name, text]) => [name, JSON.parse(text)]),
);
const longest = 1_000_000; // characters of a part
const pace = 500; // milliseconds that a part may take
const one = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

let table; // the file: its name, its head, its rows
let answers; // the head and the rows of the answers so far
let stopper;

const isInput = (name) => Object.hasOwn(known, name);
const others = () => table.head.filter((name) => !isInput(name));
const keep = () => [...part("others").querySelectorAll(":checked")].map(({ value }) => value);
const say = (text) => (part("status").textContent = text);

// The faults of a header that keep the whole file from being sent.
function faults(head) {
  const given = head.map((name) => (isInput(name) ? known[name] : name));
  const missing = required.filter((name) => !given.includes(name));
  const twice = head.filter((name, index) => head.indexOf(name) < index);
  return [
    ...missing.map((name) => `The column ${name} is missing.`),
    ...twice.map((name) => `The column ${name} is there twice.`),
  ].join(" ");
}

// The inputs, without columns that are left out, and beside them the answers that have come.
function joined(count = table.rows.length) {
  const kept = keep();
  const places = table.head.flatMap((name, at) => (isInput(name) || kept.includes(name) ? [at] : []));
  const inputs = [table.head, ...table.rows.slice(0, count)].map((row) => places.map((at) => row[at] ?? ""));
  if (!answers.head) return inputs;
  const head = answers.head.map((name) => (inputs[0].includes(name) ? `${name}_answer` : name));
  return inputs.map((row, at) => [...row, ...(at ? (answers.rows[at - 1] ?? head.map(() => "")) : head)]);
}

function preview() {
  const [names, ...rows] = joined(5);
  const head = names.map((name) => markup`<th scope="col">${name}</th>`);
  const body = rows.map((row) => markup`<tr>${row.map((text) => markup`<td>${text}</td>`)}</tr>`);
  part("preview").innerHTML = markup`<thead><tr>${head}</tr></thead><tbody>${body}</tbody>`;
  const query = new URLSearchParams(others().map((name) => ["keep", name]));
  const address = new URL(`api/batch${others().length ? `?${query}` : ""}`, location).href;
  for (const place of panel.querySelectorAll("[data-part=address]")) place.textContent = address;
}

const choice = (name) =>
  markup`<label><input type="checkbox" value="${name}" checked> keep ${name}</label>`;

async function open(file) {
  stopper?.abort();
  part("fault").textContent = "";
  part("found").hidden = true;
  try {
    const [names = [], ...rows] = readTable(await file.text());
    const head = names.map((name) => (isInput(name) ? name : name.trim()));
    if (!rows.length) throw new Error("The file has no row below its header.");
    const fault = faults(head);
    if (fault) throw new Error(fault);
    table = { name: file.name, head, rows };
  } catch (error) {
    part("fault").textContent = `${file.name}: ${error.message}`;
    return;
  }
  answers = { rows: [] };
  part("others").innerHTML = markup`These columns are no input: ${others().map(choice)}`;
  part("others").hidden = !others().length;
  part("file").textContent = `${file.name}: ${one(table.rows.length, "row")}, ${one(table.head.length, "column")}`;
  part("run").textContent = `Run ${one(table.rows.length, "row")}`;
  for (const name of ["answers", "progress"]) part(name).hidden = true;
  say("");
  part("found").hidden = false;
  preview();
}

// Ask for the answers to some rows, as soon as the service is free.
async function ask(rows, signal) {
  const places = table.head.flatMap((name, at) => (isInput(name) ? [at] : []));
  // A row of another length stays one, so that it is refused.
  const uneven = (row) => (row.length === places.length ? [...row, ""] : row);
  const isEven = (row) => row.length === table.head.length;
  const sent = rows.map((row) => (isEven(row) ? places.map((at) => row[at]) : uneven(row)));
  const body = writeTable([places.map((at) => table.head[at]), ...sent]);
  const headers = { "Content-Type": "text/csv" };
  const response = await fetch("api/batch", { method: "POST", body, headers, signal });
  if (response.status === 503) {
    say("The service is busy. The next rows are sent in a moment.");
    await new Promise((done) => setTimeout(done, 1000 * (Number(response.headers.get("Retry-After")) || 1)));
    signal.throwIfAborted();
    return ask(rows, signal);
  }
  const text = await response.text();
  if (response.ok) return readTable(text, ",");
  throw new Error(response.headers.get("Content-Type").includes("json") ? JSON.parse(text).detail : text);
}

// Answer all rows, in parts that grow until one takes as long as the pace.
async function run() {
  stopper = new AbortController();
  const { signal } = stopper;
  answers = { rows: [] };
  const begin = performance.now();
  const total = table.rows.length;
  for (let size = least; answers.rows.length < total; ) {
    const at = answers.rows.length;
    let rows = table.rows.slice(at, at + Math.min(size, most));
    while (rows.length > 1 && rows.flat().join().length > longest) rows = rows.slice(0, rows.length / 2);
    const start = performance.now();
    const [head, ...found] = await ask(rows, signal);
    if (found.length !== rows.length) throw new Error("There are not as many answers as rows.");
    const number = (text) => text.replace(/^row (\d+)/, (_, row) => `row ${at + Number(row)}`);
    answers.head = head;
    answers.rows.push(...found.map((row) => [...row.slice(0, -1), number(row.at(-1))]));
    const now = performance.now();
    size = Math.max(least, Math.min(1000, Math.round(rows.length * Math.min(4, pace / (now - start)))));
    tell(total, ((now - begin) / answers.rows.length) * (total - answers.rows.length));
    if (!at) preview();
  }
}

// Say how far it is.
function tell(total, left) {
  const done = answers.rows.length;
  const refused = answers.rows.filter((row) => row.at(-1)).length;
  Object.assign(part("progress"), { max: total, value: done });
  const rest = left ? `, about ${Math.ceil(left / 1000)} s left` : "";
  const found = refused ? `${(done - refused).toLocaleString("en")} answered, ${refused} refused` : "answered";
  say(`${done.toLocaleString("en")} of ${one(total, "row")} ${refused ? `sent: ${found}` : found}${rest}.`);
}

// Offer the answers that have come.
function offer() {
  const link = part("answers");
  URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(new Blob([writeTable(joined(answers.rows.length))], { type: "text/csv" }));
  link.download = `${table.name.replace(/\.\w+$/, "")}-answers.csv`;
  link.hidden = !answers.rows.length;
}

part("run").addEventListener("click", async () => {
  for (const name of ["progress", "stop"]) part(name).hidden = false;
  Object.assign(part("progress"), { value: 0, max: table.rows.length });
  [part("run").disabled, part("answers").hidden] = [true, true];
  part("stop").focus();
  const mine = table;
  let end = "";
  await run().catch((error) => (end = error.name === "AbortError" ? "Stopped." : error.message));
  [part("run").disabled, part("stop").hidden] = [false, true];
  if (mine !== table) return;
  part("run").focus();
  offer();
  if (end) say(`${part("status").textContent} ${end}`);
  preview();
});
part("stop").addEventListener("click", () => stopper.abort());
part("others").addEventListener("input", () => {
  preview();
  if (answers.head) offer();
});
panel.querySelector("[type=file]").addEventListener("change", ({ target }) => target.files[0] && open(target.files[0]));
dropped(panel, ([file]) => open(file));
part("chooser").hidden = false;
