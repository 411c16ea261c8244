// A plot of columns of numbers over one of them, which the page stretches to its width. It is drawn
// here: uPlot weighs 52 KB, and puts no ticks on numbers as small as 1e-17.

import { make } from "./dom.js";
import { plain } from "./json.js";
import { numberTicks, timeTicks } from "./ticks.js";

const SIZE = 1000; // of a drawing, across and down; more columns than a plot has pixels

function range(numbers) {
  const found = Float64Array.from(numbers.filter(Number.isFinite)).sort();
  const [low, high] = [found[0], found.at(-1)];
  const room = low === high ? (Math.abs(low) || 1) / 2 : 0;
  return [low - room, high + room];
}

// From the numbers of a range to places in a drawing.
const scale = (low, high) => (value) => ((value - low) / (high - low)) * SIZE;

// The line through points: of those in one column the first, lowest, highest and last.
function line(points) {
  let [path, pen, gaps] = ["", "M", 0];
  const part = ([x, y]) => (Number.isFinite(y) ? gaps : (gaps += 1)) * 2 * SIZE + Math.round(x);
  for (const near of Map.groupBy(points, part).values()) {
    if (!Number.isFinite(near[0][1])) pen = "M";
    const found = near.filter(([, y]) => Number.isFinite(y));
    const sorted = found.toSorted((a, b) => a[1] - b[1]);
    const kept = new Set([found[0], sorted[0], sorted.at(-1), found.at(-1)]);
    for (const [x, y] of found.filter((point) => kept.has(point))) {
      path += `${pen}${x.toFixed(1)},${y.toFixed(1)}h0`;
      pen = "L";
    }
  }
  return path;
}

export const titled = ({ name, unit }) => (unit ? `${name} (${unit})` : name);

// A column has a name, a unit, its items as they came and as numbers.
export function plot(x, columns) {
  const lines = columns.map(({ numbers }) => numbers);
  const order = [...x.numbers.keys()].filter((i) => Number.isFinite(x.numbers[i]));
  order.sort((a, b) => x.numbers[a] - x.numbers[b]);
  const [low, high] = range(x.numbers);
  const rows = numberTicks(range(lines.flat()), 5);
  if (!Number.isFinite(high - low) || rows.length < 2) return "";
  const [toX, toY] = [scale(low, high), scale(rows.at(-1).tick, rows[0].tick)];
  const found = (x.isTime ? timeTicks : numberTicks)([low, high], 5);
  const ticks = found.filter(({ tick }) => tick >= low && tick <= high);
  const curves = lines.map((numbers, i) => {
    const path = line(order.map((at) => [toX(x.numbers[at]), toY(numbers[at])]));
    const dots = order.length > 60 ? "" : path.replaceAll("L", "M");
    return { title: titled(columns[i]), series: `series-${i % 6}`, path, dots };
  });
  const made = make("plot", {
    label: `Plot of ${columns.map(({ name }) => name).join(", ")} over ${x.name}`,
    rows,
    grid: rows.map(({ tick }) => `M0,${toY(tick)}h${SIZE}`).join(""),
    ticks: ticks.map(({ tick, name }) => ({ name, place: `${(toX(tick) / SIZE) * 100}%` })),
    axis: titled(x),
    curves,
  });
  const [drawing, cursor, readout] = made.querySelectorAll(".drawing, .cursor, .readout");

  // The point that is nearest to the pointer, with every digit.
  drawing.addEventListener("pointermove", ({ clientX }) => {
    const { left, width } = cursor.ownerSVGElement.getBoundingClientRect();
    const distance = (i) => Math.abs(toX(x.numbers[i]) - ((clientX - left) / width) * SIZE);
    const at = order.reduce((best, i) => (distance(i) < distance(best) ? i : best));
    const value = ({ name, unit, items }) =>
      `${name} ${plain(items[at]) ?? "–"} ${unit ?? ""}`.trim();
    readout.textContent = [x, ...columns].map(value).join(" · ");
    cursor.setAttribute("d", `M${toX(x.numbers[at])},0v${SIZE}`);
  });
  return made;
}
