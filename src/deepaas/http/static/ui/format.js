// How sizes, times, moments and the marks of an axis are written. Values are shown as `String` has them.

import { isNumber, toJson } from "./json.js";
import { html } from "./library.js";

const DIGITS = 4;
const LONGEST_VALUE = 40;
const NUMBER = new Intl.NumberFormat("en", { maximumSignificantDigits: DIGITS, useGrouping: false });
const SIZES = ["B", "kB", "MB", "GB", "TB"];

/** Write the marks of an axis with four significant digits, or in full where two would look the same. */
export function marks(values) {
  const short = values.map(mark);
  return new Set(short).size === short.length ? short : values.map(String);
}

function mark(value) {
  const isPlain = value === 0 || (Math.abs(value) >= 1e-4 && Math.abs(value) < 1e7);
  if (!isPlain) return Number(value.toPrecision(DIGITS)).toExponential();
  return Number.isInteger(value) ? String(value) : NUMBER.format(value);
}

/** Write a number of bytes. */
function size(bytes) {
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

/** Return a number of bytes, shortened, with the whole number at hand. */
export function sizeView(bytes) {
  return html`<span title=${`${bytes} bytes`}>${size(bytes)}</span>`;
}

/** Return a time in seconds, shortened, with all of its digits at hand. */
export function durationView(seconds) {
  return html`<span title=${`${seconds} s`}>${duration(seconds)}</span>`;
}

/** Write a moment as the clock shows it. */
export function clock(date) {
  return date.toLocaleTimeString("en-GB");
}

/** Shorten a text to `length` characters. */
export function shortened(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

/** Write the values of arguments in one line; all but numbers are shortened to `longest` characters. */
export function summary(values, longest = LONGEST_VALUE) {
  const parts = Object.entries(values).map(([name, value]) => `${name} ${written(value, longest)}`);
  return parts.join(" · ");
}

function written(value, longest) {
  if (isNumber(value)) return String(value);
  return shortened(typeof value === "string" ? value : toJson(value), longest);
}
