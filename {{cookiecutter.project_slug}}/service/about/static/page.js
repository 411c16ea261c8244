// The entry: what happens when.

import { show } from "./answer.js";
import { ask } from "./ask.js";
import { refresh } from "./calls.js";
import { counted, mark, page, request } from "./form.js";
import { read } from "./json.js";

const part = (name) => document.getElementById(name);
let asked; // the request of the answer that is shown
let asking = new AbortController();

// The inputs of a request for people: names and values, each in a few words.
function inputs({ url }, most = 60) {
  const found = new URL(url).searchParams;
  const brief = (text) => (text.length > most ? `${text.slice(0, most)}…` : text);
  const said = (name) => `${name} = ${brief(found.getAll(name).join(", "))}`;
  return [...new Set(found.keys())].map(said).join("; ") || "no inputs";
}

function say(state, status) {
  part("outcome").dataset.state = state;
  part("status").textContent = status;
  part("shown").replaceChildren();
  asked = undefined;
}

// An answer says for which inputs it was given, and whether they have changed since.
function setOld(isOld) {
  part("outcome").toggleAttribute("data-old", isOld);
  part("asked").textContent = `For ${isOld ? "the inputs before: " : ""}${inputs(asked)}`;
}

function compare() {
  const now = request();
  refresh(now);
  const isOther = ({ file }, i) => file !== asked.parts[i].file;
  if (asked) setOld(now.url !== asked.url || now.parts.some(isOther));
}

function showAnswer(now, { headers, text }, seconds) {
  const [seed, fingerprint] = ["Seed", "Fingerprint"].map((name) => headers.get(`Model-${name}`));
  const drawn = seed ? `, with seed ${seed}` : "";
  say("good", `Done in ${seconds.toFixed(2)} s${drawn}`);
  part("fingerprint").textContent = `Fingerprint ${fingerprint}`;
  part("text").textContent = show(part("shown"), text, read(now.body));
  const day = new Date().toISOString().slice(0, 10);
  const place = new URL(now.address);
  if (seed && now.shape === "link") place.searchParams.set("seed", seed);
  const line = part("quote").querySelector("code");
  const quote = `Answer of ${day} for ${inputs(now, 2000)}${drawn}: ${place}`;
  line.textContent = `${line.dataset.cited} ${quote} (fingerprint ${fingerprint}).`;
  asked = now;
  compare();
}

function showProblem({ body }, { status = "", title, detail = "", errors = {} }) {
  say("bad", `${status} ${title}`.trim());
  const given = read(body);
  const told = (text, path) => text.replace(`${path}: `, () => `${counted(path, given)}: `);
  part("shown").textContent = Object.keys(errors).reduce(told, detail);
  mark(errors, given);
}

async function run(event) {
  event.preventDefault(); // the browser would open the answer
  asking.abort();
  mark({});
  const now = request();
  say("busy", "Running…");
  const { signal } = (asking = new AbortController());
  const begun = performance.now();
  const seconds = () => (performance.now() - begun) / 1000;
  const count = () => (part("elapsed").textContent = `${seconds().toFixed(1)} s`);
  const counting = setInterval(count, 100);
  const fault = ({ message }) => ({ problem: { title: "No answer came.", detail: message } });
  const found = await ask(now.address, { ...now.options, signal }).catch(fault);
  clearInterval(counting);
  if (signal.aborted) return;
  if (found.problem) showProblem(now, found.problem);
  else showAnswer(now, found, seconds());
  part("outcome").scrollIntoView({ block: "nearest" });
}

part("stop").addEventListener("click", () => {
  asking.abort();
  say("", "Stopped.");
  page.querySelector(".run").focus();
});

page.addEventListener("submit", run);
page.querySelector("form").noValidate = true; // the service knows best what is valid, and says why
page.addEventListener("focusout", compare);
page.addEventListener("input", ({ target }) => {
  if (!target.closest("td")) compare();
  else if (asked) setOld(true); // a long table takes a frame to compare: once its cell is left
});
compare();
