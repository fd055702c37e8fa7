// An answer that comes by and by, as lines of JSON or as server-sent events.

import { eventsIn, Refusal } from "../api.js";
import { parseJson, toJson } from "../json.js";

const EVENTS = "text/event-stream";
const BROKEN = "The answer broke off on its way. The server's log may say why.";

/**
 * Yield `{value}`, the items that have come until now, again and again, and at last also their `text` and
 * `blob`, and the `problem` if the answer broke off.
 */
export async function* streamedOf(body, type) {
  const value = [];
  let problem = "";
  try {
    for await (const item of type === EVENTS ? fromEvents(body) : fromLines(body)) {
      value.push(item);
      yield { value };
    }
  } catch (error) {
    if (error.name === "AbortError") throw error;
    problem = error instanceof Refusal ? error.message : BROKEN;
  }
  const text = value.map((item) => `${toJson(item)}\n`).join("");
  yield { value, text, blob: new Blob([text]), problem };
}

async function* fromEvents(body) {
  for await (const { event, data } of eventsIn(body)) {
    if (event === "error") throw new Refusal(parseJson(data).message);
    yield parseJson(data);
  }
}

async function* fromLines(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    const lines = (rest + decoder.decode(value, { stream: !done })).split("\n");
    rest = lines.pop();
    yield* lines.filter(Boolean).map((line) => parseJson(line));
    if (done) return;
  }
}
