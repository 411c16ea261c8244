// The calls that are shown: kept in step with the form, and copied.

const quotes = {
  shell: (text) => (/[^\w@%+=:,./-]/.test(text) ? `'${text.replaceAll("'", "'\\''")}'` : text),
  literal: (text) =>
    `'${text.replace(/[\\']/g, "\\$&").replaceAll("\n", "\\n").replaceAll("\r", "\\r")}'`,
};

// Write each part of the request into the line for its kind, quoted.
function fill(parts, quote, lines) {
  const write = (part) => (_, key) => quotes[quote](part[key]);
  return parts.map((part) => (lines[part.kind] ?? "").replace(/\{(\w+)\}/g, write(part))).join("");
}

export function refresh({ url, shape, parts }) {
  for (const call of document.querySelectorAll(".live"))
    call.textContent = fill(parts, call.dataset.quote, JSON.parse(call.dataset.lines));
  for (const shaped of document.querySelectorAll("[data-shape]"))
    shaped.hidden = shaped.dataset.shape !== shape;
  for (const link of document.querySelectorAll("#permalink a"))
    [link.href, link.textContent] = [url, url.slice(location.origin.length)];
}

// Select a call, and copy what is selected: this needs no https, as the clipboard of scripts does.
function copy({ target: button }) {
  getSelection().selectAllChildren(button.parentElement.querySelector("code"));
  if (!document.execCommand("copy")) return;
  const spoken = document.getElementById("copied");
  button.textContent = spoken.textContent = "Copied";
  setTimeout(() => ([button.textContent, spoken.textContent] = ["Copy", ""]), 2000);
}

for (const button of document.querySelectorAll(".copy")) button.addEventListener("click", copy);
