// The client of the server that this page came from. It must not know what is done with the answers.

import { createParser } from "../vendor/eventsource-parser/dist/parse.js";
import { parseJson } from "./json.js";
import { askForToken, currentToken } from "./token.js";

const UNAUTHORIZED = 401;
const UNPROCESSABLE = 422;
const SERVER_ERROR = 500;
const NO_CONTENT = 204;
const AGAIN_MS = 1000;
const BASE = new URL(".", location.href);

/** What the server answered instead of what was asked for. `problems` are messages by argument, or null. */
export class Refusal extends Error {
  constructor(message, status = 0, problems = null) {
    super(message);
    this.status = status;
    this.problems = problems;
  }
}

/** Return the address of `path`, which is relative to the API's root, so that any base path will do. */
export function addressOf(path) {
  return new URL(path, BASE).href;
}

/** Return the path of a model, or of something below it. */
export function pathOf(model, ...below) {
  return ["v2/models", ...[model, ...below].map(encodeURIComponent)].join("/");
}

/** Ask the server and return its response. Throw `Refusal`; ask the reader for a token where one is wanted. */
export async function ask(path, options = {}) {
  const response = await answered(path, options);
  if (response.status === UNAUTHORIZED) {
    const refusal = await refusalOf(response);
    if (await askForToken(refusal.message)) return ask(path, options);
    throw refusal;
  }
  if (!response.ok) throw await refusalOf(response);
  return response;
}

/** Ask the server and return what its JSON says. */
export async function askJson(path, options = {}) {
  return parseJson(await (await ask(path, options)).text());
}

/** Yield the server-sent events of `path`; after a lost connection, go on where it broke off. */
export async function* eventsOf(path, signal) {
  let last = "";
  while (!signal.aborted) {
    try {
      const response = await ask(path, { signal, headers: last ? { "Last-Event-ID": last } : {} });
      if (response.status === NO_CONTENT) return;
      for await (const event of eventsIn(response.body)) {
        last = event.id ?? last;
        yield { kind: event.event, content: parseJson(event.data) };
      }
    } catch (error) {
      const isRefused = error.status && error.status < SERVER_ERROR;
      if (signal.aborted || isRefused) throw error;
    }
    await new Promise((done) => setTimeout(done, AGAIN_MS));
  }
}

async function answered(path, { headers = {}, ...options }) {
  const token = currentToken();
  const authorization = token ? { Authorization: `Bearer ${token}` } : {};
  try {
    return await fetch(addressOf(path), { ...options, headers: { ...headers, ...authorization } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal("The server cannot be reached. Look whether it still runs, then try again.");
  }
}

async function refusalOf(response) {
  const text = await response.text();
  try {
    const said = parseJson(text);
    const problems = response.status === UNPROCESSABLE ? said : null;
    return new Refusal(messageIn(said), response.status, problems);
  } catch {
    return new Refusal(text || response.statusText, response.status);
  }
}

/** Say what is wrong: in a message, or, as health checks do, in one for each model. */
function messageIn(said) {
  const [first = "Some arguments are not right."] = Object.values(said.problems ?? {});
  return said.message ?? first;
}

/** Yield the server-sent events in a body, as they come. */
export async function* eventsIn(body) {
  let found = [];
  const parser = createParser({ onEvent: (event) => found.push(event) });
  const decoder = new TextDecoder();
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    parser.feed(decoder.decode(value, { stream: true }));
    yield* found;
    found = [];
  }
}
