// A plot of columns of numbers over one of them: drawn here, since a library weighs 50 KB.

const HEIGHT = 280; // pixels
const BOTTOM = 44;
const CHARACTER = 7.5; // pixels, the width of a digit

function element(name, attributes, text = "") {
  const found = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) found.setAttribute(key, value);
  found.textContent = text;
  return found;
}

// Round numbers between two others.
function ticks([low, high], count) {
  const power = 10 ** Math.floor(Math.log10((high - low) / count));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power * count >= high - low);
  const found = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) found.push(+(i * step).toPrecision(12));
  return found;
}

function range(numbers) {
  let [low, high] = [Infinity, -Infinity];
  for (const number of numbers) {
    if (number < low) low = number;
    if (number > high) high = number;
  }
  return low === high ? [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2] : [low, high];
}

// The line through the points, in their order: for each column of pixels no more than four.
function line(points) {
  let path = "";
  let pen = "M";
  let near = [];
  const flush = () => {
    const heights = near.map(([, y]) => y);
    const kept = [0, heights.indexOf(Math.min(...heights)), heights.indexOf(Math.max(...heights))];
    for (const i of new Set([...kept.sort((a, b) => a - b), near.length - 1])) {
      if (near[i]) path += `${pen}${near[i][0].toFixed(1)},${near[i][1].toFixed(1)}h0`;
      pen = "L";
    }
    near = [];
  };
  for (const point of points) {
    const isGap = !Number.isFinite(point[1]);
    if (near.length && (isGap || Math.round(point[0]) !== Math.round(near[0][0]))) flush();
    if (isGap) pen = "M";
    else near.push(point);
  }
  flush();
  return path;
}

const titled = ({ name, unit }) => (unit ? `${name} (${unit})` : name);

// Draw into a figure. A column has a name, a unit, its items as they came and as numbers.
export function plot(figure, x, columns) {
  const order = x.numbers.map((_, i) => i).filter((i) => Number.isFinite(x.numbers[i]));
  order.sort((a, b) => x.numbers[a] - x.numbers[b]);
  const across = range(order.map((i) => x.numbers[i]));
  const up = range(columns.flatMap(({ numbers }) => numbers.filter(Number.isFinite)));
  if (![across[1] - across[0], up[1] - up[0]].every(Number.isFinite)) return false;
  const legend = document.createElement("p");
  legend.className = "legend";
  legend.append(...columns.map((column, i) => Object.assign(document.createElement("span"),
    { textContent: titled(column), className: `series-${i % 6}` })));
  const names = columns.map(({ name }) => name).join(", ");
  const drawing = element("svg", { role: "img", "aria-label": `Plot of ${names} over ${x.name}` });
  const shown = Object.assign(document.createElement("p"), { className: "readout" });
  figure.append(legend, drawing, shown);
  let place;

  const draw = () => {
    const width = drawing.clientWidth;
    const rows = ticks(up, 5);
    const left = 14 + CHARACTER * Math.max(...rows.map((tick) => `${tick}`.length));
    const scale = (value, [low, high], from, to) => from + ((value - low) / (high - low)) * (to - from);
    const toX = (value) => scale(value, across, left, width - 14);
    const toY = (value) => scale(value, up, HEIGHT - BOTTOM, 10);
    place = { toX, left };
    const parts = [];
    for (const tick of rows) {
      parts.push(element("path", { class: "grid", d: `M${left},${toY(tick)}H${width - 14}` }));
      parts.push(element("text", { x: left - 8, y: toY(tick) + 4, "text-anchor": "end" }, tick));
    }
    for (const tick of ticks(across, Math.max(2, (width - left) / 90))) {
      const at = { x: toX(tick), y: HEIGHT - BOTTOM + 18, "text-anchor": "middle" };
      parts.push(element("text", at, tick));
    }
    const middle = { x: (left + width) / 2, y: HEIGHT - 6, "text-anchor": "middle", class: "axis" };
    parts.push(element("text", middle, titled(x)));
    columns.forEach(({ numbers }, i) => {
      const d = line(order.map((at) => [toX(x.numbers[at]), toY(numbers[at])]));
      parts.push(element("path", { class: `line series-${i % 6}`, d }));
      if (order.length <= 60) parts.push(element("path", { class: `dots series-${i % 6}`, d: d.replaceAll("L", "M") }));
    });
    parts.push(element("path", { class: "cursor", d: "" }));
    drawing.replaceChildren(...parts);
  };

  // The point that is nearest to the pointer, with every digit.
  drawing.addEventListener("pointermove", ({ offsetX }) => {
    let [low, high] = [0, order.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (place.toX(x.numbers[order[middle]]) < offsetX) low = middle;
      else high = middle;
    }
    const distance = (i) => Math.abs(place.toX(x.numbers[order[i]]) - offsetX);
    const at = order[distance(low) < distance(high) ? low : high];
    const values = [x, ...columns].map(({ name, items, unit = "" }) => `${name} ${items[at] ?? "–"} ${unit}`.trim());
    shown.textContent = values.join(" · ");
    drawing.querySelector(".cursor").setAttribute("d", `M${place.toX(x.numbers[at])},10V${HEIGHT - BOTTOM}`);
  });
  new ResizeObserver(draw).observe(drawing);
  return true;
}
