// A slider's positions and the numbers they stand for: evenly, or by ratio where a range spans magnitudes.

export const POSITIONS = 1000;
const MOST_WHOLE_STEPS = 10_000;
const WIDE = 1000;
const DIGITS = 3;

/** Say whether a slider helps to choose from the argument's range. */
export function hasSlider({ kind, isInteger, minimum, maximum }) {
  if (kind !== "number" || !(Number.isFinite(minimum) && Number.isFinite(maximum) && minimum < maximum))
    return false;
  return !isInteger || maximum - minimum <= MOST_WHOLE_STEPS;
}

/** Return the position, from 0 to `POSITIONS`, of a number; of what is none, the lowest. */
export function positionOf(argument, text) {
  const { minimum, maximum } = argument;
  const value = Math.min(Math.max(text === "" ? minimum : Number(text), minimum), maximum) || minimum;
  const share = isWide(argument)
    ? Math.log(value / minimum) / Math.log(maximum / minimum)
    : (value - minimum) / (maximum - minimum);
  return Math.round(share * POSITIONS);
}

/** Return the number that a position stands for, with few digits. */
export function numberAt(argument, position) {
  const { minimum, maximum, isInteger } = argument;
  const share = position / POSITIONS;
  if (share === 0 || share === 1) return share ? maximum : minimum;
  const value = isWide(argument)
    ? minimum * (maximum / minimum) ** share
    : minimum + share * (maximum - minimum);
  return isInteger ? Math.round(value) : Number(value.toPrecision(DIGITS));
}

/** Return how many positions an arrow key moves: for whole numbers, enough to reach the next one. */
export function stepOf(argument) {
  const { minimum, maximum, isInteger } = argument;
  return isInteger && !isWide(argument) ? Math.max(1, POSITIONS / (maximum - minimum)) : 1;
}

function isWide({ minimum, maximum, isInteger }) {
  return !isInteger && minimum > 0 && maximum / minimum >= WIDE;
}
