// JSON with every digit as it came: JavaScript's own numbers would round it.

// A browser from before 2025 shows rounded numbers.
JSON.rawJSON ??= Number;
JSON.isRawJSON ??= (value) => typeof value === "number";

// The value that a text is the JSON of, with its numbers as raw JSON; undefined if it is no JSON.
export function read(text) {
  const raw = (_, value, { source } = { source: value }) =>
    typeof value === "number" ? JSON.rawJSON(source) : value;
  try {
    return JSON.parse(text, raw);
  } catch {
    return undefined;
  }
}

export const isNumber = JSON.isRawJSON;
export const plain = (value) => (isNumber(value) ? (value.rawJSON ?? `${value}`) : value);
export const isList = Array.isArray;
export const isRecord = (value) => value instanceof Object && !isList(value);
export const isScalar = (value) => !(value instanceof Object);

// A value as JSON: each member in a line of its own, but a list of plain values in one line.
export function write(value) {
  const list = /\[\n *([^[\]{}]*?)\n *\]/g; // no text in JSON has an end of line
  const line = (_, items) => `[${items.replace(/\n */g, " ")}]`;
  return JSON.stringify(value, null, 2).replace(list, line);
}
