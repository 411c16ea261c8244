// A batch: a CSV file that is sent in parts, and its answers beside its inputs.

import { ask, post } from "./ask.js";
import { csvFile, readTable, textOf, writeTable } from "./csv.js";
import { make, picked } from "./dom.js";

const PACE = 500; // milliseconds that a part may take

const panel = document.querySelector(".batch");
const part = (name) => panel.querySelector(`[data-part=${name}]`);
const { known, most, least } = JSON.parse(panel.dataset.takes);
const isInput = (name) => known.includes(name);
const say = (text) => (part("status").textContent = text);
const count = (number) => number.toLocaleString("en");
const counted = (rows) => `${count(rows)} row${rows === 1 ? "" : "s"}`;

let file; // its name, its head, its rows, and the answers that have come below their own head
let stopper = new AbortController();

// The inputs, without columns that are left out, and beside them the answers that have come.
function joined(length) {
  const left = [...part("others").querySelectorAll("input:not(:checked)")];
  const isKept = (name) => left.every(({ value }) => value !== name);
  const places = [...file.head.keys()].filter((at) => isKept(file.head[at]));
  const answers = file.answers.length > 1 ? file.answers : [];
  const inputs = [file.head, ...file.rows].slice(0, length);
  return inputs.map((row, i) => [...places.map((at) => row[at] ?? ""), ...(answers[i] ?? [])]);
}

// Show the first rows, and offer the answers that have come.
function show() {
  const [head, ...rows] = joined(6).map((row) => row.map((text) => ({ name: text, text })));
  const cells = (row) => ({ cells: head.map((_, at) => row[at] ?? {}) });
  part("preview").replaceChildren(make("table", { head, rows: rows.map(cells) }));
  URL.revokeObjectURL(part("answers").href);
  part("answers").href = csvFile(joined(file.answers.length));
}

// The answers to some rows below their head, as soon as the service is free. A row of another
// length than the head stays one, so that it is refused.
async function answers(head, rows, signal) {
  const places = [...head.keys()].filter((at) => isInput(head[at]));
  const more = (row) => (row.length === head.length ? places : [...places, head.length]);
  const cells = (row) => more(row).map((at) => row[at] ?? "");
  const options = { ...post("text/csv", writeTable([head, ...rows].map(cells))), signal };
  const { headers, text, problem } = await ask("api/batch", options);
  if (!problem) return readTable(text, ",");
  if (problem.status !== 503) throw new Error(problem.detail);
  say("The service is busy. The next rows are sent in a moment.");
  const seconds = Number(headers.get("Retry-After")) || 1;
  await new Promise((done) => setTimeout(done, 1000 * seconds));
  signal.throwIfAborted();
  return answers(head, rows, signal);
}

async function open(given, signal) {
  const [names = [], ...rows] = readTable(await textOf(given));
  if (!rows.length) throw new Error("The file has no row below its header.");
  const head = names.map((name) => (isInput(name) ? name : name.trim()));
  const [found] = await answers(head, [], signal); // the service says what does not fit
  const title = (name) => (head.includes(name) ? `${name}_answer` : name);
  file = { head, rows, answers: [found.map(title)] };
  const others = head.filter((name) => !isInput(name));
  part("others").replaceChildren(make("others", { names: others.map((name) => ({ name })) }));
  part("file").textContent = given.name;
  part("answers").download = `${given.name.replace(/\.\w+$/, "")}-answers.csv`;
  part("run").textContent = `Run ${counted(rows.length)}`;
  const address = new URL("api/batch", location);
  address.search = new URLSearchParams(others.map((name) => ["keep", name]));
  for (const place of panel.querySelectorAll("[data-part=address]")) place.textContent = address;
  panel.dataset.state = "ready";
  say("");
  show();
}

// Say how far it is after so many milliseconds.
function tell(total, found, passed) {
  const done = found.length;
  const reasons = found.map((row) => row.at(-1)).filter(Boolean);
  const refused = reasons.length;
  const others = `\nand ${count(refused - 3)} more, in the last column of the answers`;
  part("reasons").textContent = reasons.slice(0, 3).join("\n") + (refused > 3 ? others : "");
  Object.assign(part("progress"), { max: total, value: done });
  const left = Math.ceil((passed / done / 1000) * (total - done));
  const rest = left ? `, about ${left} s left` : "";
  const parts = `sent: ${count(done - refused)} answered, ${count(refused)} refused`;
  say(`${count(done)} of ${counted(total)} ${refused ? parts : "answered"}${rest}.`);
}

// Answer all rows, in parts that grow until one takes as long as the pace.
async function run({ head, rows, answers: found }, signal) {
  const begun = performance.now();
  for (let [at, size] = [0, least]; at < rows.length; at = found.length - 1) {
    const sent = rows.slice(at, at + Math.min(size, most));
    const start = performance.now();
    const [, ...given] = await answers(head, sent, signal);
    if (given.length !== sent.length) throw new Error("There are not as many answers as rows.");
    const number = (text) => text.replace(/^row (\d+)/, (_, row) => `row ${at + Number(row)}`);
    found.push(...given.map((row) => row.with(-1, number(row.at(-1)))));
    const isQuick = performance.now() - start < PACE;
    size = isQuick ? 2 * sent.length : Math.max(sent.length / 2, least);
    tell(rows.length, found.slice(1), performance.now() - begun);
    if (!at) show();
  }
}

part("run").addEventListener("click", async () => {
  const { signal } = (stopper = new AbortController());
  file.answers.length = 1; // their head
  part("reasons").textContent = "";
  part("progress").value = 0;
  panel.dataset.state = "busy";
  part("stop").focus();
  const end = await run(file, signal).catch(({ message }) => message);
  if (signal !== stopper.signal) return;
  panel.dataset.state = file.answers.length > 1 ? "done" : "ready";
  part("run").focus();
  if (end) say(`${part("status").textContent} ${end}`);
  show();
});
part("stop").addEventListener("click", () => stopper.abort(new Error("Stopped.")));
part("others").addEventListener("input", show);
picked(panel, (given) => {
  stopper.abort();
  const { signal } = (stopper = new AbortController());
  panel.dataset.state = part("fault").textContent = part("reasons").textContent = "";
  const fault = ({ message }) => (part("fault").textContent = `${given.name}: ${message}`);
  open(given, signal).catch((error) => signal.aborted || fault(error));
});
