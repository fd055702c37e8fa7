// HTTP client for the server's API: sends the token and reconnects event streams.

import { createParser } from "../vendor/eventsource-parser/dist/parse.js";
import { parseJson } from "./json.js";
import { getToken, promptForToken } from "./token.js";

const UNAUTHORIZED = 401;
const UNPROCESSABLE = 422;
const SERVER_ERROR = 500;
const NO_CONTENT = 204;
const RETRY_MS = 1000;
const BASE = new URL(".", location.href);

/** An error response; `status` is 0 without a response. `problems` are the messages of a 422 by argument, or null. */
export class ApiError extends Error {
  constructor(message, status = 0, problems = null) {
    super(message);
    this.status = status;
    this.problems = problems;
  }
}

/** Return the URL of `path`, relative to the API's root, so that it works under any base path. */
export function buildUrl(path) {
  return new URL(path, BASE).href;
}

/** Return the path of a model, or of a resource below it; segments are URL-encoded. */
export function buildPath(model, ...below) {
  return ["v2/models", ...[model, ...below].map(encodeURIComponent)].join("/");
}

/** Return a successful response, or throw `ApiError`. After a 401, prompt for a token and retry. */
export async function sendRequest(path, options = {}) {
  const response = await fetchWithToken(path, options);
  if (response.status === UNAUTHORIZED) {
    const error = await readError(response);
    if (await promptForToken(error.message)) return sendRequest(path, options);
    throw error;
  }
  if (!response.ok) throw await readError(response);
  return response;
}

/** Return the parsed JSON of a response. Throw `ApiError` like `sendRequest`. */
export async function fetchJson(path, options = {}) {
  return parseJson(await (await sendRequest(path, options)).text());
}

/**
 * Yield the server-sent events of `path` as `{kind, content}` until the server sends 204 or `signal` is aborted.
 * After a lost connection or a 5xx response, reconnect with `Last-Event-ID`.
 */
export async function* streamEvents(path, signal) {
  let lastId = "";
  while (!signal.aborted) {
    try {
      const response = await sendRequest(path, {
        signal,
        headers: lastId ? { "Last-Event-ID": lastId } : {},
      });
      if (response.status === NO_CONTENT) return;
      for await (const event of readEvents(response.body)) {
        lastId = event.id ?? lastId;
        yield { kind: event.event, content: parseJson(event.data) };
      }
    } catch (error) {
      const isClientError = error.status && error.status < SERVER_ERROR;
      if (signal.aborted || isClientError) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

async function fetchWithToken(path, { headers = {}, ...options }) {
  const token = getToken();
  const authorization = token ? { Authorization: `Bearer ${token}` } : {};
  try {
    return await fetch(buildUrl(path), { ...options, headers: { ...headers, ...authorization } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The server cannot be reached. Check that it is running, then try again.");
  }
}

async function readError(response) {
  const text = await response.text();
  try {
    const body = parseJson(text);
    const problems = response.status === UNPROCESSABLE ? body : null;
    return new ApiError(findMessage(body), response.status, problems);
  } catch {
    return new ApiError(text || response.statusText, response.status);
  }
}

/** Return the `message` of an error body, or the first of the `problems` that a health check reports. */
function findMessage(body) {
  const [first = "Some arguments are invalid."] = Object.values(body.problems ?? {});
  return body.message ?? first;
}

/** Yield the server-sent events of a response body as they arrive. */
export async function* readEvents(body) {
  let events = [];
  const parser = createParser({ onEvent: (event) => events.push(event) });
  const decoder = new TextDecoder();
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    parser.feed(decoder.decode(value, { stream: true }));
    yield* events;
    events = [];
  }
}
