// A slider's positions and the numbers they stand for: evenly, or by ratio where a range spans magnitudes.

import { toNumber } from "../json.js";

export const POSITIONS = 1000;
const MOST_WHOLE_STEPS = 10_000;
const WIDE = 1000;
const DIGITS = 3;

/** Say whether a slider helps to choose from the argument's range. */
export function hasSlider(argument) {
  const { minimum, maximum } = rangeOf(argument);
  const isRange = Number.isFinite(minimum) && Number.isFinite(maximum) && minimum < maximum;
  if (argument.kind !== "number" || !isRange) return false;
  if (!argument.isInteger) return true;
  // A slider computes, so whole numbers beyond these would change.
  const isExact = Number.isSafeInteger(minimum) && Number.isSafeInteger(maximum);
  return isExact && maximum - minimum <= MOST_WHOLE_STEPS;
}

/** Return the position, from 0 to `POSITIONS`, of a number; of what is none, the lowest. */
export function positionOf(argument, text) {
  const { minimum, maximum } = rangeOf(argument);
  const value = Math.min(Math.max(text === "" ? minimum : Number(text), minimum), maximum) || minimum;
  const share = isWide(rangeOf(argument))
    ? Math.log(value / minimum) / Math.log(maximum / minimum)
    : (value - minimum) / (maximum - minimum);
  return Math.round(share * POSITIONS);
}

/** Return the number that a position stands for, with few digits; at the ends, as the contract has it. */
export function numberAt(argument, position) {
  const range = rangeOf(argument);
  const { minimum, maximum, isInteger } = range;
  const share = position / POSITIONS;
  if (share === 0 || share === 1) return share ? argument.maximum : argument.minimum;
  const value = isWide(range)
    ? minimum * (maximum / minimum) ** share
    : minimum + share * (maximum - minimum);
  return isInteger ? Math.round(value) : Number(value.toPrecision(DIGITS));
}

/** Return how many positions an arrow key moves: for whole numbers, enough to reach the next one. */
export function stepOf(argument) {
  const { minimum, maximum, isInteger } = rangeOf(argument);
  return isInteger ? Math.max(1, POSITIONS / (maximum - minimum)) : 1;
}

function rangeOf({ minimum, maximum, isInteger }) {
  return { minimum: toNumber(minimum), maximum: toNumber(maximum), isInteger };
}

function isWide({ minimum, maximum, isInteger }) {
  return !isInteger && minimum > 0 && maximum / minimum >= WIDE;
}
