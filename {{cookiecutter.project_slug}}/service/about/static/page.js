// The entry: what happens when.

import { show } from "./answer.js";
import { ask, stop } from "./ask.js";
import { refresh } from "./calls.js";
import { mark, notJson, page, request } from "./form.js";
import { read } from "./json.js";
import { described } from "./schema.js";

const outcome = document.getElementById("outcome");
const part = (name) => document.getElementById(name);
const say = (text) => (part("status").textContent = text);
const besides = ["asked", "raw", "quote", "fingerprint"]; // what an answer alone has
let asked; // the request of the answer that is shown

// The inputs of a request for people: names and values, each in a few words.
function inputs({ parts }, most = 60) {
  const found = {};
  for (const { name, value } of parts.filter(({ name }) => name)) (found[name] ??= []).push(value);
  const brief = (text) => (text.length > most ? `${text.slice(0, most)}…` : text);
  const said = Object.entries(found).map(
    ([name, values]) => `${name} = ${brief(values.join(", "))}`,
  );
  return said.join("; ") || "no inputs";
}

function clear(state) {
  outcome.dataset.state = state;
  part("shown").replaceChildren();
  for (const name of besides) part(name).hidden = true;
  asked = undefined;
}

// An answer stays beside the inputs that it was given for, and says so once they have changed.
function compare() {
  const now = request();
  refresh(now);
  if (!asked) return;
  const isOther = ({ file }, i) => file !== asked.parts[i].file;
  const isOld = now.url !== asked.url || now.parts.some(isOther);
  outcome.toggleAttribute("data-old", isOld);
  part("asked").textContent = `For ${isOld ? "the inputs before: " : ""}${inputs(asked)}`;
}

function showAnswer(now, { response, text, seconds }, schemas) {
  const told = (name) => response.headers.get(name);
  const [seed, fingerprint] = [told("Model-Seed"), told("Model-Fingerprint")];
  const drawn = seed ? `, with seed ${seed}` : "";
  say(`Done in ${seconds.toFixed(2)} s${drawn}`);
  part("fingerprint").textContent = `Fingerprint ${fingerprint}`;
  part("text").textContent = show(part("shown"), text, schemas, read(now.body));
  const day = new Date().toISOString().slice(0, 10);
  const place = now.shape === "link" ? now.url : now.api;
  const line = part("quote").querySelector("code");
  const quote = `Answer of ${day} for ${inputs(now, 2000)}${drawn}: ${place} (fingerprint ${fingerprint}).`;
  line.textContent = `${line.dataset.cited} ${quote}`;
  for (const name of besides) part(name).hidden = false;
  asked = now;
  compare();
}

function showProblem({ response, text, error }) {
  const isProblem = response?.headers.get("Content-Type")?.includes("problem+json");
  const { title, detail, errors } = isProblem ? JSON.parse(text) : { title: "", detail: text };
  say(error ? "No answer came." : `${response.status} ${title}`);
  part("shown").textContent = error ? error.message : detail;
  mark(errors ?? {});
}

function count(begun) {
  part("elapsed").textContent = `${((performance.now() - begun) / 1000).toFixed(1)} s`;
}

page.addEventListener("submit", async (event) => {
  event.preventDefault();
  const now = request();
  const faults = notJson();
  mark(faults);
  clear("bad");
  if (Object.keys(faults).length) return say("Not sent: a field is not JSON.");
  clear("busy");
  say("Running…");
  const counting = setInterval(count, 100, performance.now());
  const [found, schemas] = await Promise.all([ask(now), described()]);
  clearInterval(counting);
  if (!found) return;
  clear(found.response?.ok ? "good" : "bad");
  if (found.response?.ok) showAnswer(now, found, schemas);
  else showProblem(found);
  outcome.scrollIntoView({ block: "nearest" });
});

part("stop").addEventListener("click", () => {
  stop();
  clear("");
  say("Stopped.");
  page.querySelector(".run").focus();
});

page.querySelector("form").noValidate = true; // the service knows best what is valid, and says why
page.addEventListener("input", compare);
compare();
