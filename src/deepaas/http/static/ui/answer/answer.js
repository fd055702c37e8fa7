// An answer of the server: its bytes, and what they say. It must not know how it is shown.

import { Refusal } from "../api.js";
import { parseJson } from "../json.js";
import { bare, endingOf, kindOf } from "../media.js";
import { streamedOf } from "./streamed.js";

const LINES = "application/x-ndjson";
const LARGEST_READ_BYTES = 50_000_000;

/**
 * Read a response: `{type, blob, filename, text, value, problem}`; `text` and `value` where it has them,
 * `problem` where it broke off. `schema` is that of the model's JSON. `show` is called with what has come so far
 * of an answer that is streamed.
 */
export async function answerOf(response, model, schema, show) {
  const type = bare(response.headers.get("Content-Type"));
  const about = { type, filename: namedBy(response) || `${model}.${endingOf(type)}` };
  if (kindOf(type) !== "stream") return { ...about, ...(await whole(response, type, schema)) };
  let last;
  for await (const part of streamedOf(response.body, type)) {
    last = { ...about, type: LINES, filename: `${model}.jsonl`, ...part };
    show(last);
  }
  return last;
}

async function whole(response, type, schema) {
  const blob = await bytesOf(response);
  const kind = kindOf(type);
  if (!["json", "text", "table"].includes(kind) || blob.size > LARGEST_READ_BYTES) return { blob };
  const text = await blob.text();
  return kind === "json" ? { blob, text, ...inJson(text, schema) } : { blob, text };
}

async function bytesOf(response) {
  try {
    return await response.blob();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal("The answer broke off on its way. The server's log may say why.");
  }
}

function inJson(text, schema) {
  try {
    return { value: unwrapped(parseJson(text), schema) };
  } catch {
    return {};
  }
}

/**
 * Return the prediction of a model without a schema, which is sent in `{"status": "OK", "predictions": …}`: as
 * a string that holds its JSON, or, with `--predictions json`, as a value.
 */
function unwrapped(value, schema) {
  const isWrapped = value?.status === "OK" && "predictions" in value && Object.keys(value).length === 2;
  if (!isWrapped) return value;
  if (schema.properties?.predictions?.type !== "string") return value.predictions;
  try {
    return parseJson(value.predictions);
  } catch {
    return value.predictions;
  }
}

function namedBy(response) {
  const disposition = response.headers.get("Content-Disposition") ?? "";
  const [, name] = disposition.match(/filename\*=UTF-8''([^;]+)/) ?? [];
  return name ? decodeURIComponent(name).split(/[/\\]/).pop() : "";
}
