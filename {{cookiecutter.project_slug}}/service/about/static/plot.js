// A plot of columns of numbers over one of them: drawn here, since a library weighs 50 KB.

import { markup } from "./markup.js";
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

// The labels below an axis: each within the drawing, and none that would meet the one before.
function labels({ isTime }, across, toX, [left, right]) {
  const ticks = isTime ? timeTicks : numberTicks;
  let end = -GAP;
  return ticks(across, Math.max(2, (right - left) / 90)).map(({ tick, name }) => {
    const half = (name.length * DIGIT) / 2;
    const middle = Math.max(half, Math.min(toX(tick), right + RIGHT - half));
    const isFree = middle - half >= end + GAP;
    if (isFree) end = middle + half;
    return markup`<path class="mark" d="M${toX(tick)},${BOTTOM}v5"/>
      ${isFree && markup`<text x="${middle}" y="${BOTTOM + 18}">${name}</text>`}`;
  });
}

// The pixels to the left of columns, in which the labels of their numbers stand.
export function margin(columns) {
  const rows = numberTicks(range(columns.flatMap(({ numbers }) => numbers)), 5);
  return RIGHT + DIGIT * Math.max(1, ...rows.map(({ name }) => name.length));
}

// Draw all that depends on the width; give the scale from numbers to pixels across.
function draw(drawing, { x, lines, order, across, up, left }) {
  const rows = numberTicks(up, 5);
  const right = drawing.clientWidth - RIGHT;
  const [toX, toY] = [scale(across, [left, right]), scale(up, [BOTTOM, TOP])];
  const curves = lines.map((numbers, i) => {
    const path = line(order.map((at) => [toX(x.numbers[at]), toY(numbers[at])]));
    const dots = order.length > 60 ? "" : path.replaceAll("L", "M");
    return markup`<path class="curve series-${i % 6}" d="${path}"/>
      <path class="dots series-${i % 6}" d="${dots}"/>`;
  });
  const grid = rows.map(
    ({ tick, name }) => markup`<path class="grid" d="M${left},${toY(tick)}H${right}"/>
      <text class="row" x="${left - GAP}" y="${toY(tick) + 4}">${name}</text>`,
  );
  const below = labels(x, across, toX, [left, right]);
  const middle = (left + right) / 2;
  const title = markup`<text class="axis" x="${middle}" y="${BOTTOM + 38}">${titled(x)}</text>`;
  drawing.innerHTML = markup`${grid}${below}${title}${curves}<path class="cursor"/>`;
  return toX;
}

// Draw into a place, beside a margin. A column has a name, a unit, its items as they came and as
// numbers.
export function plot(place, x, columns, left) {
  const lines = columns.map(({ numbers }) => numbers);
  const order = [...x.numbers.keys()].filter((i) => Number.isFinite(x.numbers[i]));
  order.sort((a, b) => x.numbers[a] - x.numbers[b]);
  const [across, up] = [range(x.numbers), range(lines.flat())];
  if (![across, up].every(([low, high]) => Number.isFinite(high - low))) return;
  const legend = columns.map(
    (one, i) => markup`<span class="series-${i % 6}">${titled(one)}</span>`,
  );
  const label = `Plot of ${columns.map(({ name }) => name).join(", ")} over ${x.name}`;
  place.innerHTML = markup`<p class="legend">${legend}</p>
    <svg role="img" aria-label="${label}"></svg><p class="readout"></p>`;
  const [drawing, readout] = place.querySelectorAll("svg, .readout");
  let toX;
  new ResizeObserver(() => {
    toX = draw(drawing, { x, lines, order, across, up, left });
  }).observe(drawing);

  // The point that is nearest to the pointer, with every digit.
  drawing.addEventListener("pointermove", ({ offsetX }) => {
    const distance = (i) => Math.abs(toX(x.numbers[i]) - offsetX);
    const at = order.reduce((best, i) => (distance(i) < distance(best) ? i : best));
    const value = ({ name, unit, items }) => `${name} ${items[at] ?? "–"} ${unit ?? ""}`.trim();
    readout.textContent = [x, ...columns].map(value).join(" · ");
    drawing.lastChild.setAttribute("d", `M${toX(x.numbers[at])},${TOP}V${BOTTOM}`);
  });
}
