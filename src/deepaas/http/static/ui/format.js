// How numbers, sizes, times and moments are written.

const DIGITS = 4;
const NUMBER = new Intl.NumberFormat("en", { maximumSignificantDigits: DIGITS, useGrouping: false });
const SIZES = ["B", "kB", "MB", "GB", "TB"];

/** Write a number with four significant digits; anything else as it is. */
export function number(value) {
  if (typeof value !== "number") return String(value);
  const isPlain = value === 0 || (Math.abs(value) >= 1e-4 && Math.abs(value) < 1e7);
  if (Number.isInteger(value)) return String(value);
  return isPlain ? NUMBER.format(value) : String(Number(value.toPrecision(DIGITS)));
}

/** Write a number of bytes. */
export function size(bytes) {
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), SIZES.length - 1);
  return `${power ? (bytes / 1000 ** power).toPrecision(3) : bytes} ${SIZES[power]}`;
}

/** Write a time in seconds: `34 ms`, `1.52 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(seconds) {
  if (seconds === 0) return "0 s";
  if (seconds < 1) return `${Number((seconds * 1000).toPrecision(2))} ms`;
  if (seconds < 10) return `${Number(seconds.toPrecision(3))} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Write a moment as the clock shows it. */
export function clock(date) {
  return date.toLocaleTimeString("en-GB");
}

/** Shorten a text to `length` characters. */
export function shortened(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

/** Write the values of arguments in one line. */
export function summary(values) {
  const parts = Object.entries(values).map(([name, value]) => `${name} ${shortened(written(value), 40)}`);
  return parts.join(" · ");
}

function written(value) {
  return typeof value === "string"
    ? value
    : typeof value === "number"
      ? number(value)
      : JSON.stringify(value);
}
