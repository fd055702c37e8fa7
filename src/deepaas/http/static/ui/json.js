// Lossless JSON: numbers keep all their digits. The UI parses and writes JSON only with these functions.
//
// A number is a JavaScript number if that has the same text, otherwise a LosslessNumber, which keeps its text
// (9007199254740993, 1.0, 1e-07). `String(number)` returns the number as sent, for both.

import { isLosslessNumber, LosslessNumber } from "../vendor/lossless-json/lib/esm/LosslessNumber.js";
import { parse } from "../vendor/lossless-json/lib/esm/parse.js";
import { stringify } from "../vendor/lossless-json/lib/esm/stringify.js";
import { isNumber as isNumberText, splitNumber } from "../vendor/lossless-json/lib/esm/utils.js";

const NUMBERS = /(?:^|[[,:\s])(-?\d[\d.eE+-]*)/g;
const PARSE_OPTIONS = { parseNumber: toExactNumber, onDuplicateKey: ({ newValue }) => newValue };
const COMPARABLE = [{ test: isNumber, stringify: normalizeNumber }];

/** Return the value of a JSON text. Throw `SyntaxError` for invalid JSON. */
export function parseJson(text) {
  // For an image in base64, the browser's parser is about 30 times as fast.
  return hasPlainNumbers(text) ? JSON.parse(text) : parse(text, undefined, PARSE_OPTIONS);
}

/** Return the JSON text of a value, or undefined for undefined; `indent` is a number of spaces. */
export function toJson(value, indent) {
  return stringify(value, undefined, indent);
}

/** Return a text for comparing values, equal for numbers that differ only in notation: 1, 1.0 and 1e0. */
export function toComparable(value) {
  return stringify(value, undefined, undefined, COMPARABLE);
}

/** Return the number that a text is in JSON, or undefined for any other text. */
export function parseNumber(text) {
  return isNumberText(text) ? toExactNumber(text) : undefined;
}

/** Check whether a value is a number: a JavaScript number or a LosslessNumber. */
export function isNumber(value) {
  return typeof value === "number" || isLosslessNumber(value);
}

/** Return a JavaScript number, possibly with loss of digits; NaN for anything but numbers. */
export function toNumber(value) {
  if (typeof value === "number") return value;
  return isLosslessNumber(value) ? Number(value.value) : NaN;
}

/** Check whether a value is an object or an array. */
export function isStructure(value) {
  return typeof value === "object" && value !== null && !isLosslessNumber(value);
}

function toExactNumber(text) {
  const number = Number(text);
  return String(number) === text ? number : new LosslessNumber(text);
}

/** Check that every number keeps its text as a JavaScript number. Also checks digits within strings. */
function hasPlainNumbers(text) {
  for (const [, number] of text.matchAll(NUMBERS)) if (String(Number(number)) !== number) return false;
  return true;
}

function normalizeNumber(value) {
  const { sign, digits, exponent } = splitNumber(String(value));
  return `${sign}${digits}e${exponent}`;
}
