// Converts a training's reported metrics to curves.

import { isNumber, toNumber } from "../json.js";

/**
 * Return `{xLabel, curves}` for metric records of the API; `curves` maps metric names to `{label, x, y}`. x is the
 * step if every record has one, otherwise the seconds since the first record.
 */
export function buildCurves(lines) {
  const curves = new Map();
  const hasSteps = lines.every(({ step }) => isNumber(step));
  const startS = lines.length ? toNumber(lines[0].time) : 0;
  for (const { step, time, metrics } of lines) {
    for (const [name, value] of Object.entries(metrics)) {
      const curve = curves.get(name) ?? { label: name, x: [], y: [] };
      addPoint(curve, hasSteps ? step : toNumber(time) - startS, isNumber(value) ? value : null);
      curves.set(name, curve);
    }
  }
  return { xLabel: hasSteps ? "step" : "seconds", curves };
}

/** Add a point; ignore it if x decreases, and replace the last point if x is the same. */
function addPoint({ x, y }, position, value) {
  const [previous, current] = [toNumber(x.at(-1)), toNumber(position)];
  if (current < previous) return;
  if (current === previous) {
    y[y.length - 1] = value;
    return;
  }
  x.push(position);
  y.push(value);
}
