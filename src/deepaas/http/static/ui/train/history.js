// The history of a training's metrics as curves.

import { isNumber, toNumber } from "../json.js";

/**
 * Return a curve for each metric: `{label, x, y}`, by the metric's name, from lines as the API has them. Steps
 * and values are kept as they were sent.
 */
export function curvesOf(lines) {
  const curves = new Map();
  const hasSteps = lines.every(({ step }) => isNumber(step));
  const began = lines.length ? toNumber(lines[0].time) : 0;
  for (const { step, time, metrics } of lines) {
    for (const [name, value] of Object.entries(metrics)) {
      const curve = curves.get(name) ?? { label: name, x: [], y: [] };
      add(curve, hasSteps ? step : toNumber(time) - began, isNumber(value) ? value : null);
      curves.set(name, curve);
    }
  }
  return { across: hasSteps ? "step" : "seconds", curves };
}

/** The axis must not go back; of two values at the same place the later one counts. */
function add({ x, y }, position, value) {
  const [before, now] = [toNumber(x.at(-1)), toNumber(position)];
  if (now < before) return;
  if (now === before) {
    y[y.length - 1] = value;
    return;
  }
  x.push(position);
  y.push(value);
}
