// A batch: a CSV file that is sent in parts, and its answers beside its inputs.

import { ask, post } from "./ask.js";
import { csvFile, readTable, writeTable } from "./csv.js";
import { picked } from "./dom.js";
import { rowsOf } from "./figure.js";
import { markup } from "./markup.js";

const LARGEST = 1000; // rows of a part
const LONGEST = 1_000_000; // characters of a part
const PACE = 500; // milliseconds that a part may take

const panel = document.querySelector(".batch");
const part = (name) => panel.querySelector(`[data-part=${name}]`);
const { known, most, least } = JSON.parse(panel.dataset.takes);
const isInput = (name) => known.includes(name);
const say = (text) => (part("status").textContent = text);
const count = (number) => number.toLocaleString("en");
const counted = (rows) => `${count(rows)} row${rows === 1 ? "" : "s"}`;

let table; // the file: its name, its rows, and the rows of its answers; each with their head first
let stopper = new AbortController();

// The inputs, without columns that are left out, and beside them the answers that have come.
function joined(length) {
  const left = [...part("others").querySelectorAll(":not(:checked)")].map(({ value }) => value);
  const [head, answers] = [table.rows[0], table.answers];
  const places = [...head.keys()].filter((at) => isInput(head[at]) || !left.includes(head[at]));
  const inputs = table.rows.slice(0, length).map((row) => places.map((at) => row[at] ?? ""));
  const empty = answers[0]?.map(() => "") ?? [];
  return inputs.map((row, at) => [...row, ...(answers[at] ?? empty)]);
}

// Show the first rows, and offer the answers that have come.
function show() {
  const [head, ...rows] = joined(6);
  const column = (name, at) => ({ name, items: rows.map((row) => row[at]) });
  part("preview").innerHTML = rowsOf(head.map(column));
  const link = part("answers");
  URL.revokeObjectURL(link.href);
  link.hidden = panel.dataset.state === "busy" || !table.answers.length;
  if (!link.hidden) link.href = csvFile(joined(table.answers.length));
  link.download = `${table.name.replace(/\.\w+$/, "")}-answers.csv`;
}

const choice = (name) =>
  markup`<label><input type="checkbox" value="${name}" checked> keep ${name}</label>`;

async function read(file, signal) {
  const [names = [], ...rows] = readTable(await file.text());
  const head = names.map((found) => (isInput(found) ? found : found.trim()));
  if (!rows.length) throw new Error("The file has no row below its header.");
  await answers(head, [], signal); // the service says what does not fit
  return { name: file.name, rows: [head, ...rows], answers: [] };
}

async function open(file) {
  stopper.abort();
  const { signal } = (stopper = new AbortController());
  table = undefined;
  panel.dataset.state = part("fault").textContent = part("reasons").textContent = "";
  try {
    table = await read(file, signal);
  } catch (error) {
    if (!signal.aborted) part("fault").textContent = `${file.name}: ${error.message}`;
    return;
  }
  const [head, ...rows] = table.rows;
  const others = head.filter((name) => !isInput(name));
  part("others").innerHTML = markup`These columns are no input: ${others.map(choice)}`;
  part("others").hidden = !others.length;
  part("file").textContent = file.name;
  part("run").textContent = `Run ${counted(rows.length)}`;
  const address = new URL("api/batch", location);
  address.search = new URLSearchParams(others.map((name) => ["keep", name]));
  for (const place of panel.querySelectorAll("[data-part=address]")) place.textContent = address;
  panel.dataset.state = "ready";
  say("");
  show();
}

// The answers to some rows, as soon as the service is free. A row of another length than the header
// stays one, so that it is refused.
async function answers(head, rows, signal) {
  const places = [...head.keys()].filter((at) => isInput(head[at]));
  const more = (row) => (row.length === head.length ? [] : [""]);
  const sent = rows.map((row) => [...places.map((at) => row[at] ?? ""), ...more(row)]);
  const body = writeTable([places.map((at) => head[at]), ...sent]);
  const options = { ...post("text/csv", body), signal };
  const { response, text, problem } = await ask("api/batch", options);
  if (!problem) return readTable(text, ",");
  if (response.status !== 503) throw new Error(problem.detail);
  say("The service is busy. The next rows are sent in a moment.");
  const seconds = Number(response.headers.get("Retry-After")) || 1;
  await new Promise((done) => setTimeout(done, 1000 * seconds));
  signal.throwIfAborted();
  return answers(head, rows, signal);
}

// Answer all rows, in parts that grow until one takes as long as the pace.
async function run({ rows: [head, ...rows], answers: found }, signal) {
  const begun = performance.now();
  for (let [at, size] = [0, least]; at < rows.length; at = found.length - 1) {
    let sent = rows.slice(at, at + Math.min(size, most));
    while (sent.length > 1 && sent.flat().join().length > LONGEST)
      sent = sent.slice(0, sent.length / 2);
    const start = performance.now();
    const [names, ...given] = await answers(head, sent, signal);
    if (given.length !== sent.length) throw new Error("There are not as many answers as rows.");
    if (!at) found.push(names.map((name) => (head.includes(name) ? `${name}_answer` : name)));
    const number = (text) => text.replace(/^row (\d+)/, (_, row) => `row ${at + Number(row)}`);
    found.push(...given.map((row) => row.with(-1, number(row.at(-1)))));
    const isQuick = performance.now() - start < PACE;
    size = isQuick ? Math.min(2 * size, LARGEST) : Math.max(size / 2, least);
    tell(rows.length, found.slice(1), performance.now() - begun);
    if (!at) show();
  }
}

// Say how far it is after so many milliseconds.
function tell(total, found, passed) {
  const done = found.length;
  const reasons = found.map((row) => row.at(-1)).filter(Boolean);
  const refused = reasons.length;
  const others = `\nand ${count(refused - 3)} more, in the last column of the answers`;
  const more = refused > 3 ? others : "";
  part("reasons").textContent = reasons.slice(0, 3).join("\n") + more;
  Object.assign(part("progress"), { max: total, value: done });
  const left = Math.ceil((passed / done / 1000) * (total - done));
  const rest = left ? `, about ${left} s left` : "";
  const parts = `sent: ${count(done - refused)} answered, ${count(refused)} refused`;
  say(`${count(done)} of ${counted(total)} ${refused ? parts : "answered"}${rest}.`);
}

part("run").addEventListener("click", async () => {
  const mine = Object.assign(table, { answers: [] });
  stopper = new AbortController();
  [panel.dataset.state, part("reasons").textContent] = ["busy", ""];
  Object.assign(part("progress"), { max: mine.rows.length - 1, value: 0 });
  part("stop").focus();
  const fault = ({ name, message }) => (name === "AbortError" ? "Stopped." : message);
  const end = await run(mine, stopper.signal).catch(fault);
  if (mine !== table) return;
  panel.dataset.state = "done";
  part("run").focus();
  if (end) say(`${part("status").textContent} ${end}`);
  show();
});
part("stop").addEventListener("click", () => stopper.abort());
part("others").addEventListener("input", show);
picked(panel, open);
