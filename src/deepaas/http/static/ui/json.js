// JSON with every number digit by digit. The page reads and writes JSON here only.
//
// A number is a JavaScript number where that has the same text, and a LosslessNumber, which keeps its text,
// otherwise (9007199254740993, 1.0, 1e-07). `String(number)` is the number as it was sent, for both.

import { isLosslessNumber, LosslessNumber } from "../vendor/lossless-json/lib/esm/LosslessNumber.js";
import { parse } from "../vendor/lossless-json/lib/esm/parse.js";
import { stringify } from "../vendor/lossless-json/lib/esm/stringify.js";
import { isNumber as isNumberText, splitNumber } from "../vendor/lossless-json/lib/esm/utils.js";

const NUMBERS = /(?:^|[[,:\s])(-?\d[\d.eE+-]*)/g;
const READ = { parseNumber: numberIn, onDuplicateKey: ({ newValue }) => newValue };
const COMPARABLE = [{ test: isNumber, stringify: normalized }];

/** Return the value of a JSON text. Throw `SyntaxError` for a text that is no JSON. */
export function parseJson(text) {
  // The browser's parser takes a thirtieth of the time for a picture in base64.
  return hasPlainNumbers(text) ? JSON.parse(text) : parse(text, undefined, READ);
}

/** Return the JSON text of a value, or undefined for undefined; `indent` is a number of blanks. */
export function toJson(value, indent) {
  return stringify(value, undefined, indent);
}

/** Return a text that values share which differ in the notation of numbers only: 1, 1.0 and 1e0. */
export function comparable(value) {
  return stringify(value, undefined, undefined, COMPARABLE);
}

/** Return the number that a text is in JSON, or undefined. */
export function parseNumber(text) {
  return isNumberText(text) ? numberIn(text) : undefined;
}

/** Check whether a value is a number, be it kept as a text or not. */
export function isNumber(value) {
  return typeof value === "number" || isLosslessNumber(value);
}

/** Return a number to draw or to compute with, which may have lost digits; NaN for anything else. */
export function toNumber(value) {
  if (typeof value === "number") return value;
  return isLosslessNumber(value) ? Number(value.value) : NaN;
}

/** Check whether a value is an object or an array. */
export function isStructure(value) {
  return typeof value === "object" && value !== null && !isLosslessNumber(value);
}

function numberIn(text) {
  const number = Number(text);
  return String(number) === text ? number : new LosslessNumber(text);
}

/** Numbers within strings are looked at as well, which costs no more than the slower parser. */
function hasPlainNumbers(text) {
  for (const [, number] of text.matchAll(NUMBERS)) if (String(Number(number)) !== number) return false;
  return true;
}

function normalized(value) {
  const { sign, digits, exponent } = splitNumber(String(value));
  return `${sign}${digits}e${exponent}`;
}
