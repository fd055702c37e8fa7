// Formats the fields of a training record.

import { formatDuration } from "../format.js";
import { toComparable, toNumber } from "../json.js";

const FINAL_STATES = ["done", "error", "cancelled", "lost"];
const STATE_LABELS = { starting: "starting", cancelling: "cancelling", error: "failed" };

/** Check whether a training is in a final state. */
export function isFinished(record) {
  return FINAL_STATES.includes(record.state);
}

/** Return a training's state as a label. */
export function formatState({ state, queue_position: position }) {
  if (state === "queued" && position) return `queued, position ${position}`;
  return STATE_LABELS[state] ?? state;
}

/** Return a training's progress, from 0 to 1, or null if it is unknown. */
export function getProgress(record) {
  if (record.state === "done") return 1;
  const progress = toNumber(record.progress);
  return Number.isNaN(progress) ? null : progress;
}

/** Return the duration of a finished training, or the estimated remaining time, or an empty string. */
export function formatTime(record) {
  if (record.result?.duration) return `took ${formatDuration(parseSeconds(record.result.duration))}`;
  if (isFinished(record) || record.eta_s === undefined) return "";
  return `${formatDuration(Math.ceil(toNumber(record.eta_s)))} remaining`;
}

/** Return the exact value of the time that `formatTime` rounds. */
export function getExactTime({ result, eta_s: remaining }) {
  return result?.duration ?? (remaining === undefined ? "" : `${remaining} s`);
}

/** Return the arguments of a training that differ from the operation's defaults. */
export function selectChangedArguments({ args }, operation) {
  const preset = new Map(
    operation.arguments.map((argument) => [argument.name, toComparable(argument.default)]),
  );
  return Object.fromEntries(
    Object.entries(args).filter(([name, value]) => toComparable(value) !== preset.get(name)),
  );
}

/** Return the date of a training in whole seconds. */
export function formatStart({ date }) {
  return date.slice(0, 19);
}

/** Return the first eight digits of a training's id. */
export function shortenId(uuid) {
  return uuid.slice(0, 8);
}

function parseSeconds(text) {
  return text.split(":").reduce((total, part) => total * 60 + Number(part), 0);
}
