// Maps slider positions to numbers: linearly, or logarithmically for ranges over several orders of magnitude.

import { toNumber } from "../json.js";

export const POSITIONS = 1000;
const MAX_INTEGER_STEPS = 10_000;
const LOGARITHMIC_RATIO = 1000;
const DIGITS = 3;

/** Check whether the argument has a range that a slider can represent. */
export function hasSlider(argument) {
  const { minimum, maximum } = getRange(argument);
  const isRange = Number.isFinite(minimum) && Number.isFinite(maximum) && minimum < maximum;
  if (argument.kind !== "number" || !isRange) return false;
  if (!argument.isInteger) return true;
  // A slider computes with doubles, which cannot represent larger integers exactly.
  const isExact = Number.isSafeInteger(minimum) && Number.isSafeInteger(maximum);
  return isExact && maximum - minimum <= MAX_INTEGER_STEPS;
}

/** Return the position, from 0 to `POSITIONS`, of a number; the lowest for a text that is not a number. */
export function numberToPosition(argument, text) {
  const { minimum, maximum } = getRange(argument);
  const value = Math.min(Math.max(text === "" ? minimum : Number(text), minimum), maximum) || minimum;
  const share = isLogarithmic(getRange(argument))
    ? Math.log(value / minimum) / Math.log(maximum / minimum)
    : (value - minimum) / (maximum - minimum);
  return Math.round(share * POSITIONS);
}

/** Return the number at a position, rounded to three digits; at the ends, the exact minimum or maximum. */
export function positionToNumber(argument, position) {
  const range = getRange(argument);
  const { minimum, maximum, isInteger } = range;
  const share = position / POSITIONS;
  if (share === 0 || share === 1) return share ? argument.maximum : argument.minimum;
  const value = isLogarithmic(range)
    ? minimum * (maximum / minimum) ** share
    : minimum + share * (maximum - minimum);
  return isInteger ? Math.round(value) : Number(value.toPrecision(DIGITS));
}

/** Return the step in positions of an arrow key: for integers, the distance to the next one. */
export function getStep(argument) {
  const { minimum, maximum, isInteger } = getRange(argument);
  return isInteger ? Math.max(1, POSITIONS / (maximum - minimum)) : 1;
}

function getRange({ minimum, maximum, isInteger }) {
  return { minimum: toNumber(minimum), maximum: toNumber(maximum), isInteger };
}

function isLogarithmic({ minimum, maximum, isInteger }) {
  return !isInteger && minimum > 0 && maximum / minimum >= LOGARITHMIC_RATIO;
}
