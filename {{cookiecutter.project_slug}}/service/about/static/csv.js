// Tables as text: read from CSV or from a block of a spreadsheet, and written as CSV.

// The separator that a file uses: the one that a line of it has most of.
function separator(line) {
  const count = (sign) => line.split(sign).length;
  return [",", ";", "\t"].toSorted((one, other) => count(other) - count(one))[0];
}

// The text of a file, which must be UTF-8.
const refuse = () => Promise.reject(new Error("The file is not CSV in UTF-8."));
const decode = async (bytes) => new TextDecoder("utf-8", { fatal: true }).decode(bytes);
export const textOf = async (file) => decode(await file.arrayBuffer()).catch(refuse);

// The rows of a table, each a list of texts; empty lines are none. First lines that begin with #
// are comments. One with as many cells as the table stays: the last one may be the header, and
// "#1" a value.
export function readTable(found, given) {
  const bare = found.replace(/^\uFEFF/, "").replace(/^[\r\n]+|(\r\n?|\n)$/g, "");
  const lines = bare.split(/(?<=\n|\r(?!\n))/);
  const first = lines.findIndex((line) => !line.startsWith("#"));
  const sign = given ?? separator(lines.at(first));
  const isLike = (line) => line.split(sign).length === lines[first].split(sign).length;
  const isKept = (line, at) => isLike(line) && (at === first - 1 || !/^#\s/.test(line));
  const text = lines.filter((line, at) => at >= first || isKept(line, at)).join("");
  const [quoted, plain] = [`"([^"]*(?:""[^"]*)*)"`, `([^"${sign}\\r\\n][^${sign}\\r\\n]*|)`];
  const cell = new RegExp(`(?:${quoted}|${plain})(${sign}|\\r\\n?|\\n|$)`, "gy");
  const rows = [[]];
  let end = 0;
  for (const [whole, inner, bare, next] of text.matchAll(cell)) {
    rows.at(-1).push(inner?.replaceAll('""', '"') ?? bare);
    end += whole.length;
    if (!next) break;
    if (next !== sign) rows.push([]);
  }
  if (end < text.length)
    throw new Error(`Line ${rows.length} is no CSV: a quote does not end with its cell.`);
  return rows.filter((row) => row.length > 1 || row[0] || rows[0].length === 1);
}

const quote = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const line = (row) => row.map(quote).join(",") || '""'; // an empty line would be no row
export const writeTable = (rows) => rows.map((row) => `${line(row)}\r\n`).join("");

// The address of a table as a file.
export const csvFile = (rows) =>
  URL.createObjectURL(new Blob([writeTable(rows)], { type: "text/csv" }));
