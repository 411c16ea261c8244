// JSON with every digit as it came: JavaScript's own numbers would round it.

export class Digits extends String {} // a number, as it was written

const isNumber = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

// The value that a text is the JSON of; undefined if it is no JSON.
export function read(text) {
  const numbers = [];
  const parts = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g;
  const place = (part) => (isNumber.test(part) ? numbers.push(part) - 1 : part);
  const digits = (_, value) => (typeof value === "number" ? new Digits(numbers[value]) : value);
  try {
    return JSON.parse(text.replace(parts, place), digits);
  } catch {
    return undefined;
  }
}

export const isList = Array.isArray;
export const isRecord = (value) =>
  value instanceof Object && !(value instanceof Digits || isList(value));
export const isScalar = (value) => !isList(value) && !isRecord(value);

// A value as JSON: each member in a line of its own, but a plain list in one line.
export function write(value, line = "\n") {
  if (value instanceof Digits) return `${value}`;
  if (isScalar(value)) return JSON.stringify(value);
  const isPlain = isList(value) && value.every(isScalar);
  const inner = isPlain ? "" : `${line}  `;
  const key = (name) => (isList(value) ? "" : `${JSON.stringify(name)}: `);
  const members = Object.entries(value).map(
    ([name, item]) => inner + key(name) + write(item, inner),
  );
  const [open, close] = isList(value) ? "[]" : "{}";
  const end = isPlain || !members.length ? "" : line;
  return open + members.join(isPlain ? ", " : ",") + end + close;
}
