// The places of the ticks of an axis: round numbers, or round times of the calendar in UTC.

const [SECOND, MINUTE, HOUR, DAY, MONTH] = [1e3, 6e4, 36e5, 864e5, 2629746e3]; // milliseconds
const MONDAY = 4 * DAY; // the first one since 1970

// Steps from short to long: units, how many of them, and the part of a time that names a tick.
const STEPS = [
  [1, [1, 10, 100], [11, 23]],
  [SECOND, [1, 5, 15, 30], [11, 19]],
  [MINUTE, [1, 5, 15, 30], [5, 16]],
  [HOUR, [1, 3, 6, 12], [5, 16]],
  [DAY, [1, 2, 7, 14], [0, 10]],
  [MONTH, [1, 3, 6], [0, 7]],
  [12 * MONTH, [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000], [0, 4]],
].flatMap(([unit, counts, part]) => counts.map((count) => ({ size: count * unit, part })));

// The ticks of a step, each with its name.
function stand({ size, part }, [low, high]) {
  const months = Math.floor(size / MONTH);
  const at = (count) => (months ? Date.UTC(2000, count * months) : MONDAY + count * size);
  const name = (tick) => new Date(tick).toISOString().slice(...part).replace("T", " ");
  const found = [];
  for (let count = Math.floor((low - at(0)) / size) - 1; at(count) <= high; count += 1)
    if (at(count) >= low) found.push({ tick: at(count), name: name(at(count)) });
  return found;
}

// Round times between two others: at most so many, but more if these were less than two.
export function timeTicks([low, high], most) {
  const fits = STEPS.findIndex(({ size }) => (high - low) / size <= most);
  const found = stand(STEPS.at(fits), [low, high]);
  return found.length < 2 && fits > 0 ? stand(STEPS[fits - 1], [low, high]) : found;
}

// Round numbers between two others.
export function numberTicks([low, high], most) {
  const power = 10 ** Math.floor(Math.log10((high - low) / most));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power * most >= high - low);
  const first = Math.ceil(low / step) * step;
  const length = Math.max(0, Math.floor((high - first) / step + 1e-9)) + 1 || 0;
  const tick = (i) => +(first + i * step).toPrecision(12);
  return Array.from({ length }, (_, i) => ({ tick: tick(i), name: `${tick(i)}` }));
}
