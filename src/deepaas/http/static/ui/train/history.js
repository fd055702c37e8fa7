// The history of a training's metrics as curves.

/** Return a curve for each metric: `{label, x, y}`, by the metric's name, from lines as the API has them. */
export function curvesOf(lines) {
  const curves = new Map();
  const hasSteps = lines.every(({ step }) => typeof step === "number");
  const began = lines[0]?.time ?? 0;
  for (const { step, time, metrics } of lines) {
    for (const [name, value] of Object.entries(metrics)) {
      const curve = curves.get(name) ?? { label: name, x: [], y: [] };
      add(curve, hasSteps ? step : time - began, typeof value === "number" ? value : null);
      curves.set(name, curve);
    }
  }
  return { across: hasSteps ? "step" : "seconds", curves };
}

/** The axis must not go back; of two values at the same place the later one counts. */
function add({ x, y }, position, value) {
  if (x.length && position < x.at(-1)) return;
  if (x.at(-1) === position) {
    y[y.length - 1] = value;
    return;
  }
  x.push(position);
  y.push(value);
}
