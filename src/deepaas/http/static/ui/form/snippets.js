// A filled-in form as what people type elsewhere: curl, Python, deepaas-cli. Secrets are never written out.

import { addressOf } from "../api.js";
import { isStructure, toJson } from "../json.js";
import { currentToken } from "../token.js";
import { endingOf } from "../media.js";
import { hasFiles, joined, jsonOf, partsOf } from "./request.js";

const JSON_TYPE = "application/json";
const EVENTS = "text/event-stream";
const HIDDEN = "********";

/** Return the texts by the name of the tool. `call` is `{model, verb, path, given, accept}`. */
export function snippetsOf(call) {
  const open = { ...call, given: call.given.map(withoutSecret) };
  return { curl: curl(open), Python: python(open), "deepaas-cli": cli(open) };
}

function withoutSecret({ argument, value }) {
  return { argument, value: argument.kind === "password" ? HIDDEN : value };
}

function headersOf({ given }) {
  const own = given.filter(({ argument }) => argument.in === "header");
  const token = currentToken() ? [["Authorization", "Bearer TOKEN"]] : [];
  return [...token, ...own.map(({ argument, value }) => [argument.name, String(value)])];
}

function filesOf({ given }) {
  const fields = given.filter(({ argument }) => argument.kind === "file");
  return fields.flatMap(({ argument, value }) => value.map((file) => [argument.name, file.name]));
}

/** The name of the file for an answer that is none to read in a terminal. */
function outputOf({ accept }) {
  return accept && ![JSON_TYPE, EVENTS, "*/*"].includes(accept) ? `answer.${endingOf(accept)}` : "";
}

function curl(call) {
  const output = outputOf(call);
  const lines = [`curl -X POST ${quoted(addressOf(call.path))}`];
  lines.push(...headersOf(call).map(([name, text]) => `-H ${quoted(`${name}: ${text}`)}`));
  if (hasFiles(call.given)) {
    lines.push(
      ...filesOf(call).map(([name, file]) => `-F ${quoted(`${name}=@"${file.replace(/["\\]/g, "\\$&")}"`)}`),
    );
    lines.push(...partsOf(call.given).map(([name, text]) => `--form-string ${quoted(`${name}=${text}`)}`));
  } else {
    lines.push(`--json ${quoted(toJson(jsonOf(call.given)))}`);
  }
  if (output) lines.push(`-o ${output}`);
  return lines.join(" \\\n  ");
}

function quoted(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function python(call) {
  const headers = Object.fromEntries(headersOf(call));
  const lines = [literal(addressOf(call.path))];
  if (Object.keys(headers).length) lines.push(`headers=${literal(headers)}`);
  if (hasFiles(call.given)) {
    const files = filesOf(call).map(([name, file]) => `(${literal(name)}, open(${literal(file)}, "rb"))`);
    const parts = partsOf(call.given).map(([name, text]) => `(${literal(name)}, ${literal(text)})`);
    lines.push(`files=[${files.join(", ")}]`, `data=[${parts.join(", ")}]`);
  } else {
    lines.push(`json=${literal(jsonOf(call.given))}`);
  }
  const output = outputOf(call);
  const shown = call.accept === EVENTS ? "response.text" : "response.json()";
  const use = output ? `pathlib.Path(${literal(output)}).write_bytes(response.content)` : `print(${shown})`;
  return [
    ...(output ? ["import pathlib", ""] : []),
    "import requests",
    "",
    "response = requests.post(",
    ...lines.map((line) => `    ${line},`),
    ")",
    "response.raise_for_status()",
    use,
  ].join("\n");
}

/** Write a JSON value as Python has it. */
function literal(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (!isStructure(value)) return toJson(value);
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  return `{${Object.entries(value)
    .map(([name, each]) => `${literal(name)}: ${literal(each)}`)
    .join(", ")}}`;
}

function cli(call) {
  const output = outputOf(call);
  const words = [`deepaas-cli --model-name ${plain(call.model)}`];
  if (output) words.push(`--deepaas_method_output ${output}`);
  words.push(call.verb);
  for (const { argument, value } of call.given)
    words.push(`--${argument.name} ${plain(cliValue(argument, value))}`);
  return words.join(" \\\n  ");
}

function cliValue(argument, value) {
  const plainValue = argument.kind === "file" ? value.map((file) => file.name) : value;
  if (argument.kind === "file" && !argument.isList) return plainValue[0];
  if (argument.explode === false) return joined(argument, plainValue);
  return typeof plainValue === "string" ? plainValue : literal(plainValue);
}

function plain(text) {
  return /^[\w./:@%+=-]+$/.test(text) ? text : quoted(text);
}
