// A plot of columns of numbers over one of them: drawn here, since a library weighs 50 KB.

import { make } from "./dom.js";
import { plain } from "./json.js";
import { numberTicks, timeTicks } from "./ticks.js";

const [TOP, BOTTOM, RIGHT] = [10, 236, 14]; // pixels, as is all below
const DIGIT = 7.5; // the width of one
const GAP = 8; // between two labels
const WIDEST = 100_000; // more than any screen

function range(numbers) {
  const found = Float64Array.from(numbers.filter(Number.isFinite)).sort();
  const [low, high] = [found[0], found.at(-1)];
  const room = low === high ? (Math.abs(low) || 1) / 2 : 0;
  return [low - room, high + room];
}

const scale = ([low, high], [start, end]) => {
  return (value) => start + ((value - low) / (high - low)) * (end - start);
};

// The line through points: of those in one column of pixels the first, lowest, highest and last.
function line(points) {
  let [path, pen, gaps] = ["", "M", 0];
  const part = ([x, y]) => (Number.isFinite(y) ? gaps : (gaps += 1)) * WIDEST + Math.round(x);
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

// The labels of ticks below an axis: each within the drawing, and none that would meet the one
// before.
function labels(ticks, toX, right) {
  let end = -GAP;
  return ticks.flatMap(({ tick, name }) => {
    const half = (name.length * DIGIT) / 2;
    const x = Math.max(half, Math.min(toX(tick), right + RIGHT - half));
    if (x - half < end + GAP) return [];
    end = x + half;
    return { x, y: BOTTOM + 18, name };
  });
}

// The pixels to the left of columns, in which the labels of their numbers stand.
export function margin(columns) {
  const rows = numberTicks(range(columns.flatMap(({ numbers }) => numbers)), 5);
  return RIGHT + DIGIT * Math.max(1, ...rows.map(({ name }) => name.length));
}

// Draw all that depends on the width; give the scale from numbers to pixels across.
function draw(drawing, { x, lines, order, across, up, left }) {
  const right = drawing.clientWidth - RIGHT;
  const [toX, toY] = [scale(across, [left, right]), scale(up, [BOTTOM, TOP])];
  const ticks = (x.isTime ? timeTicks : numberTicks)(across, Math.max(2, (right - left) / 90));
  const rows = numberTicks(up, 5).map(({ tick, name }) => ({ name, x: left - GAP, y: toY(tick) }));
  const curves = lines.map((numbers, i) => {
    const path = line(order.map((at) => [toX(x.numbers[at]), toY(numbers[at])]));
    const dots = order.length > 60 ? "" : path.replaceAll("L", "M");
    return { path, dots, curve: `curve series-${i % 6}`, dot: `dots series-${i % 6}` };
  });
  const made = make("drawing", {
    rows,
    grid: rows.map(({ y }) => `M${left},${y}H${right}`).join(""),
    marks: ticks.map(({ tick }) => ({ path: `M${toX(tick)},${BOTTOM}v5` })),
    labels: labels(ticks, toX, right),
    axis: { x: (left + right) / 2, y: BOTTOM + 38, name: titled(x) },
    curves,
  });
  drawing.replaceChildren(...made.children);
  return toX;
}

// A plot beside a margin. A column has a name, a unit, its items as they came and as numbers.
export function plot(x, columns, left) {
  const lines = columns.map(({ numbers }) => numbers);
  const order = [...x.numbers.keys()].filter((i) => Number.isFinite(x.numbers[i]));
  order.sort((a, b) => x.numbers[a] - x.numbers[b]);
  const [across, up] = [range(x.numbers), range(lines.flat())];
  if (![across, up].every(([low, high]) => Number.isFinite(high - low))) return "";
  const legend = columns.map((one, i) => ({ title: titled(one), series: `series-${i % 6}` }));
  const label = `Plot of ${columns.map(({ name }) => name).join(", ")} over ${x.name}`;
  const made = make("plot", { legend, label });
  const [drawing, readout] = made.querySelectorAll("svg, .readout");
  const parts = { x, lines, order, across, up, left };
  let toX;
  new ResizeObserver(() => (toX = draw(drawing, parts))).observe(drawing);

  // The point that is nearest to the pointer, with every digit.
  drawing.addEventListener("pointermove", ({ offsetX }) => {
    const distance = (i) => Math.abs(toX(x.numbers[i]) - offsetX);
    const at = order.reduce((best, i) => (distance(i) < distance(best) ? i : best));
    const value = ({ name, unit, items }) =>
      `${name} ${plain(items[at]) ?? "–"} ${unit ?? ""}`.trim();
    readout.textContent = [x, ...columns].map(value).join(" · ");
    drawing.lastElementChild.setAttribute("d", `M${toX(x.numbers[at])},${TOP}V${BOTTOM}`);
  });
  return made;
}
