// Reads streamed responses: JSON lines or server-sent events.

import { ApiError, readEvents } from "../api.js";
import { parseJson, toJson } from "../json.js";

const EVENTS = "text/event-stream";
const INTERRUPTED = "The response was interrupted. See the server's log.";

/**
 * Yield `{value}` after each item: all items received so far, always in the same array. Finally yield it again
 * with the items' `text` and `blob`, and the `problem` of an interrupted stream (or "").
 */
export async function* readStream(body, type) {
  const value = [];
  let problem = "";
  try {
    for await (const item of type === EVENTS ? readEventItems(body) : readJsonLines(body)) {
      value.push(item);
      yield { value };
    }
  } catch (error) {
    if (error.name === "AbortError") throw error;
    problem = error instanceof ApiError ? error.message : INTERRUPTED;
  }
  const text = value.map((item) => `${toJson(item)}\n`).join("");
  yield { value, text, blob: new Blob([text]), problem };
}

async function* readEventItems(body) {
  for await (const { event, data } of readEvents(body)) {
    if (event === "error") throw new ApiError(parseJson(data).message);
    yield parseJson(data);
  }
}

async function* readJsonLines(body) {
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
