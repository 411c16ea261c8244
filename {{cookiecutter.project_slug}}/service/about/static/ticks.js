// The places of the ticks of an axis: round numbers, or round times of the calendar in UTC.

const [SECOND, MINUTE, HOUR, DAY, MONTH] = [1e3, 6e4, 36e5, 864e5, 2629746e3]; // milliseconds
const MONDAY = 4 * DAY; // the first one since 1970

// Steps from short to long: units, how many of them, and the part of a time that names a tick. None
// is more than 2.5 times the one before, so that more than one tick of each fits.
const STEPS = [
  [1, [1, 2, 5, 10, 20, 50, 100, 200, 500], [11, 23]],
  [SECOND, [1, 2, 5, 10, 15, 30], [11, 19]],
  [MINUTE, [1, 2, 5, 10, 15, 30], [5, 16]],
  [HOUR, [1, 2, 3, 6, 12], [5, 16]],
  [DAY, [1, 2, 4, 7, 14], [0, 10]],
  [MONTH, [1, 2, 3, 6], [0, 7]],
  [12 * MONTH, [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000], [0, 4]],
].flatMap(([unit, counts, part]) => counts.map((count) => ({ size: count * unit, part })));

// Each tick between the first and the last count, with its name.
const stand = (first, last, tick) =>
  Array.from({ length: last - first + 1 || 0 }, (_, i) => tick(first + i));

// Round times, at most so many steps apart, from before one time until after another.
export function timeTicks([low, high], most) {
  const { size, part } = STEPS.find(({ size }) => (high - low) / size <= most) ?? STEPS.at(-1);
  const months = Math.floor(size / MONTH);
  const at = (count) => (months ? Date.UTC(2000, count * months) : MONDAY + count * size);
  const name = (tick) => new Date(tick).toISOString().slice(...part).replace("T", " ");
  const count = (time) => Math.floor((time - at(0)) / size);
  return stand(count(low) - 1, count(high) + 1, (one) => ({ tick: at(one), name: name(at(one)) }));
}

// Round numbers, at most so many steps apart, from one number or before it until another or after.
export function numberTicks([low, high], most) {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const name = (tick) => `${+tick.toPrecision(12)}`;
  const tick = (count) => ({ tick: count * step, name: name(count * step) });
  const error = 1e-9; // of rounding, which makes no step more
  return stand(Math.floor(low / step + error), Math.ceil(high / step - error), tick);
}
