// An answer of the server: its bytes, and what they say. It must not know how it is shown.

import { bare, endingOf, kindOf } from "../media.js";

const LARGEST_READ_BYTES = 50_000_000;

/** Read a response: `{status, type, blob, filename, text, value}`; `text` and `value` where it has them. */
export async function answerOf(response, model) {
  const blob = await response.blob();
  const type = bare(response.headers.get("Content-Type"));
  const filename = namedBy(response) || `${model}.${endingOf(type)}`;
  const answer = { status: response.status, type, blob, filename };
  const kind = kindOf(type);
  if (!["json", "text", "table"].includes(kind) || blob.size > LARGEST_READ_BYTES) return answer;
  const text = await blob.text();
  return kind === "json" ? { ...answer, ...inJson(text) } : { ...answer, text };
}

function inJson(text) {
  try {
    return { text, value: unwrapped(JSON.parse(text)) };
  } catch {
    return { text };
  }
}

/** A model without a schema has its prediction sent as a text inside of another JSON value. */
function unwrapped(value) {
  const isWrapped =
    value?.status === "OK" && typeof value.predictions === "string" && Object.keys(value).length === 2;
  if (!isWrapped) return value;
  try {
    return JSON.parse(value.predictions);
  } catch {
    return value.predictions;
  }
}

function namedBy(response) {
  const [, name] =
    (response.headers.get("Content-Disposition") ?? "").match(/filename\*=UTF-8''([^;]+)/) ?? [];
  return name ? decodeURIComponent(name).split(/[/\\]/).pop() : "";
}
