// What a training's record says, in words. It must not know where records come from.

import { duration } from "../format.js";
import { comparable, toNumber } from "../json.js";

const ENDS = ["done", "error", "cancelled", "lost"];
const WORDS = { starting: "starting", cancelling: "cancelling", error: "failed" };

/** Say whether a training has come to its end. */
export function isOver(record) {
  return ENDS.includes(record.state);
}

/** Return a training's state in a word. */
export function stateOf({ state, queue_position: position }) {
  if (state === "queued" && position) return `queued, number ${position}`;
  return WORDS[state] ?? state;
}

/** Return how far a training is, from 0 to 1, or null where nobody knows. */
export function progressOf(record) {
  if (record.state === "done") return 1;
  const progress = toNumber(record.progress);
  return Number.isNaN(progress) ? null : progress;
}

/** Return how long a training still takes, or took, in words. */
export function timeOf(record) {
  if (record.result?.duration) return `took ${duration(secondsIn(record.result.duration))}`;
  if (isOver(record) || record.eta_s === undefined) return "";
  return `${duration(Math.ceil(toNumber(record.eta_s)))} to go`;
}

/** Return the time that `timeOf` shortens as the record has it. */
export function exactTimeOf({ result, eta_s: left }) {
  return result?.duration ?? (left === undefined ? "" : `${left} s`);
}

/** Return the arguments in which a training differs from what the form would send by itself. */
export function chosenIn({ args }, call) {
  const preset = new Map(call.arguments.map((argument) => [argument.name, comparable(argument.default)]));
  return Object.fromEntries(
    Object.entries(args).filter(([name, value]) => comparable(value) !== preset.get(name)),
  );
}

/** Return when a training was started, without the fraction of the second. */
export function startOf({ date }) {
  return date.slice(0, 19);
}

/** Return the first digits of a training's id, enough to tell it from others. */
export function shortId(uuid) {
  return uuid.slice(0, 8);
}

function secondsIn(text) {
  return text.split(":").reduce((total, part) => total * 60 + Number(part), 0);
}
