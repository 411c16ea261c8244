// HTML in which every value is text, but for the HTML that is made here.

class Markup extends String {}

const escapes = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function safe(value) {
  if (Array.isArray(value)) return value.map(safe).join("");
  if (value instanceof Markup) return `${value}`;
  return `${value ?? ""}`.replace(/[&<>"']/g, (sign) => escapes[sign]);
}

export function markup(texts, ...values) {
  return new Markup(String.raw({ raw: texts.raw }, ...values.map(safe)));
}
