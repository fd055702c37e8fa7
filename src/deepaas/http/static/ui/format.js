// Formatting of sizes, durations, clock times, axis ticks and argument values.

import { isNumber, toJson } from "./json.js";
import { html } from "./lit.js";

const DIGITS = 4;
const MAX_VALUE_LENGTH = 40;
const NUMBER = new Intl.NumberFormat("en", { maximumSignificantDigits: DIGITS, useGrouping: false });
const SIZES = ["B", "kB", "MB", "GB", "TB"];

/** Format axis ticks with four significant digits, or in full where two would be equal. */
export function formatTicks(values) {
  const short = values.map(formatTick);
  return new Set(short).size === short.length ? short : values.map(String);
}

function formatTick(value) {
  const isPlain = value === 0 || (Math.abs(value) >= 1e-4 && Math.abs(value) < 1e7);
  if (!isPlain) return Number(value.toPrecision(DIGITS)).toExponential();
  return Number.isInteger(value) ? String(value) : NUMBER.format(value);
}

function formatSize(bytes) {
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), SIZES.length - 1);
  return `${power ? (bytes / 1000 ** power).toPrecision(3) : bytes} ${SIZES[power]}`;
}

/** Format a duration in seconds: `34 ms`, `1.52 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatDuration(seconds) {
  if (seconds === 0) return "0 s";
  if (seconds < 1) return `${Number((seconds * 1000).toPrecision(2))} ms`;
  if (seconds < 10) return `${Number(seconds.toPrecision(3))} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Return a rounded size, with the exact number of bytes as tooltip. */
export function renderSize(bytes) {
  return html`<span title=${`${bytes} bytes`}>${formatSize(bytes)}</span>`;
}

/** Return a rounded duration, with the exact number of seconds as tooltip. */
export function renderDuration(seconds) {
  return html`<span title=${`${seconds} s`}>${formatDuration(seconds)}</span>`;
}

/** Format a date as the local time of day. */
export function formatClockTime(date) {
  return date.toLocaleTimeString("en-GB");
}

/** Truncate a text to `length` characters, the last of them an ellipsis. */
export function truncate(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

/** Format argument values in one line; all but numbers are truncated to `maxLength` characters. */
export function summarize(values, maxLength = MAX_VALUE_LENGTH) {
  const parts = Object.entries(values).map(([name, value]) => `${name} ${formatValue(value, maxLength)}`);
  return parts.join(" · ");
}

function formatValue(value, maxLength) {
  if (isNumber(value)) return String(value);
  return truncate(typeof value === "string" ? value : toJson(value), maxLength);
}
