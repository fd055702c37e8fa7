// Code for the call in a form: curl, Python, deepaas-cli. Passwords and the token are masked.

import { buildUrl } from "../api.js";
import { isStructure, toJson } from "../json.js";
import { getExtension } from "../media.js";
import { getToken } from "../token.js";
import { buildJson, buildParts, hasFiles, joinList } from "./request.js";

const JSON_TYPE = "application/json";
const EVENTS = "text/event-stream";
const MASK = "********";

/** Return the code by name of the tool. `call` is `{model, verb, path, inputs, accept}`. */
export function buildSnippets(call) {
  const masked = { ...call, inputs: call.inputs.map(maskSecret) };
  return { curl: writeCurl(masked), Python: writePython(masked), "deepaas-cli": writeCli(masked) };
}

function maskSecret({ argument, value }) {
  return { argument, value: argument.kind === "password" ? MASK : value };
}

function listHeaders({ inputs }) {
  const headers = inputs.filter(({ argument }) => argument.in === "header");
  const token = getToken() ? [["Authorization", "Bearer TOKEN"]] : [];
  return [...token, ...headers.map(({ argument, value }) => [argument.name, String(value)])];
}

function listFiles({ inputs }) {
  const fields = inputs.filter(({ argument }) => argument.kind === "file");
  return fields.flatMap(({ argument, value }) => value.map((file) => [argument.name, file.name]));
}

/** Return the name of a file for a response that is not text for a terminal, otherwise an empty string. */
function getOutputFile({ accept }) {
  return accept && ![JSON_TYPE, EVENTS, "*/*"].includes(accept) ? `response.${getExtension(accept)}` : "";
}

function writeCurl(call) {
  const output = getOutputFile(call);
  const lines = [`curl -X POST ${quote(buildUrl(call.path))}`];
  lines.push(...listHeaders(call).map(([name, text]) => `-H ${quote(`${name}: ${text}`)}`));
  if (hasFiles(call.inputs)) {
    lines.push(
      ...listFiles(call).map(([name, file]) => `-F ${quote(`${name}=@"${file.replace(/["\\]/g, "\\$&")}"`)}`),
    );
    lines.push(...buildParts(call.inputs).map(([name, text]) => `--form-string ${quote(`${name}=${text}`)}`));
  } else {
    lines.push(`--json ${quote(toJson(buildJson(call.inputs)))}`);
  }
  if (output) lines.push(`-o ${output}`);
  return lines.join(" \\\n  ");
}

function quote(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function writePython(call) {
  const headers = Object.fromEntries(listHeaders(call));
  const lines = [toPython(buildUrl(call.path))];
  if (Object.keys(headers).length) lines.push(`headers=${toPython(headers)}`);
  if (hasFiles(call.inputs)) {
    const files = listFiles(call).map(([name, file]) => `(${toPython(name)}, open(${toPython(file)}, "rb"))`);
    const parts = buildParts(call.inputs).map(([name, text]) => `(${toPython(name)}, ${toPython(text)})`);
    lines.push(`files=[${files.join(", ")}]`, `data=[${parts.join(", ")}]`);
  } else {
    lines.push(`json=${toPython(buildJson(call.inputs))}`);
  }
  const output = getOutputFile(call);
  const shown = call.accept === EVENTS ? "response.text" : "response.json()";
  const use = output ? `pathlib.Path(${toPython(output)}).write_bytes(response.content)` : `print(${shown})`;
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

/** Return a JSON value as a Python literal. */
function toPython(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (!isStructure(value)) return toJson(value);
  if (Array.isArray(value)) return `[${value.map(toPython).join(", ")}]`;
  return `{${Object.entries(value)
    .map(([name, each]) => `${toPython(name)}: ${toPython(each)}`)
    .join(", ")}}`;
}

function writeCli(call) {
  const output = getOutputFile(call);
  const words = [`deepaas-cli --model-name ${quoteIfNeeded(call.model)}`];
  if (output) words.push(`--deepaas_method_output ${output}`);
  words.push(call.verb);
  for (const { argument, value } of call.inputs)
    words.push(`--${argument.name} ${quoteIfNeeded(toCliValue(argument, value))}`);
  return words.join(" \\\n  ");
}

function toCliValue(argument, value) {
  const plainValue = argument.kind === "file" ? value.map((file) => file.name) : value;
  if (argument.kind === "file" && !argument.isList) return plainValue[0];
  if (argument.explode === false) return joinList(argument, plainValue);
  return typeof plainValue === "string" ? plainValue : toPython(plainValue);
}

function quoteIfNeeded(text) {
  return /^[\w./:@%+=-]+$/.test(text) ? text : quote(text);
}
