// The answer: asked for, and shown.

const answer = document.getElementById("outcome");

export function show(state, status, text = "") {
  answer.dataset.state = state;
  document.getElementById("status").textContent = status;
  const shown = Object.assign(document.getElementById("text"), { textContent: "", hidden: !text });
  // JSON has no spaces: lines break after its items and names, and not within them.
  for (const item of text.split(/(?<=,|":)/)) shown.append(document.createElement("wbr"), item);
  if (state !== "busy") answer.scrollIntoView({ block: "nearest" });
}

export async function send({ api, url, body, parts, shape }) {
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
