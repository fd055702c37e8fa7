// Reads a response: complete or streamed, as bytes, text and JSON value.

import { ApiError } from "../api.js";
import { parseJson } from "../json.js";
import { getExtension, getKind, parseMediaType } from "../media.js";
import { readStream } from "./stream.js";

const LINES = "application/x-ndjson";
const MAX_PARSED_BYTES = 50_000_000;

/**
 * Read a response as `{type, blob, filename}`, with its `text` and JSON `value` where it has them, and `problem`,
 * the error of an interrupted stream. `schema` describes the model's JSON. For a stream, call `show` after each
 * item with everything received so far.
 */
export async function readResponse(response, model, schema, show) {
  const type = parseMediaType(response.headers.get("Content-Type"));
  const common = { type, filename: getFilename(response) || `${model}.${getExtension(type)}` };
  if (getKind(type) !== "stream") return { ...common, ...(await readBody(response, type, schema)) };
  let last;
  for await (const part of readStream(response.body, type)) {
    last = { ...common, type: LINES, filename: `${model}.jsonl`, ...part };
    show(last);
  }
  return last;
}

async function readBody(response, type, schema) {
  const blob = await readBlob(response);
  const kind = getKind(type);
  if (!["json", "text", "table"].includes(kind) || blob.size > MAX_PARSED_BYTES) return { blob };
  const text = await blob.text();
  return kind === "json" ? { blob, text, ...parseValue(text, schema) } : { blob, text };
}

async function readBlob(response) {
  try {
    return await response.blob();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The response was interrupted. See the server's log.");
  }
}

function parseValue(text, schema) {
  try {
    return { value: unwrapPrediction(parseJson(text), schema) };
  } catch {
    return {};
  }
}

/**
 * Return the prediction from the envelope `{"status": "OK", "predictions": …}` of a model without a schema. The
 * envelope contains it as a JSON string or, with `--predictions json`, as a value.
 */
function unwrapPrediction(value, schema) {
  const isWrapped = value?.status === "OK" && "predictions" in value && Object.keys(value).length === 2;
  if (!isWrapped) return value;
  if (schema.properties?.predictions?.type !== "string") return value.predictions;
  try {
    return parseJson(value.predictions);
  } catch {
    return value.predictions;
  }
}

function getFilename(response) {
  const disposition = response.headers.get("Content-Disposition") ?? "";
  const [, name] = disposition.match(/filename\*=UTF-8''([^;]+)/) ?? [];
  return name ? decodeURIComponent(name).split(/[/\\]/).pop() : "";
}
