// Builds a request from a form's inputs: JSON, or multipart when there are files.

import { isStructure, toComparable, toJson } from "../json.js";

const SEPARATORS = { form: ",", spaceDelimited: " ", pipeDelimited: "|" };

/** Return the options of `fetch` for inputs from `parseInputs`. */
export function buildRequest(inputs) {
  const inHeaders = inputs.filter(({ argument }) => argument.in === "header");
  const headers = Object.fromEntries(inHeaders.map(({ argument, value }) => [argument.name, toText(value)]));
  if (hasFiles(inputs)) return { method: "POST", headers, body: buildMultipart(inputs) };
  const type = { "Content-Type": "application/json" };
  return { method: "POST", headers: { ...headers, ...type }, body: toJson(buildJson(inputs)) };
}

/** Check whether any input is a file argument. */
export function hasFiles(inputs) {
  return inputs.some(({ argument }) => argument.kind === "file");
}

/** Return the values of the JSON body by name, without headers and files. */
export function buildJson(inputs) {
  const inBody = inputs.filter(({ argument }) => argument.in !== "header" && argument.kind !== "file");
  return Object.fromEntries(inBody.map(({ argument, value }) => [argument.name, joinList(argument, value)]));
}

/** Return the text parts of a multipart body as `[name, text]`; a list has a part for each item. */
export function buildParts(inputs) {
  return Object.entries(buildJson(inputs)).flatMap(([name, value]) => {
    const isPlainList =
      Array.isArray(value) && value.length && value.every((item) => item !== null && !isStructure(item));
    return (isPlainList ? value : [value]).map((item) => [name, toText(item)]);
  });
}

/** Return the inputs that differ from their defaults, by name, without passwords. */
export function selectChanged(inputs) {
  const visible = inputs.filter(({ argument }) => argument.kind !== "password");
  const changed = visible.filter(
    ({ argument, value }) => toComparable(value) !== toComparable(argument.default),
  );
  return Object.fromEntries(
    changed.map(({ argument, value }) => [
      argument.name,
      argument.kind === "file" ? joinNames(value) : value,
    ]),
  );
}

function joinNames(files) {
  return files.map((file) => file.name).join(", ");
}

function buildMultipart(inputs) {
  const form = new FormData();
  for (const [name, text] of buildParts(inputs)) form.append(name, text);
  for (const { argument, value } of inputs.filter(({ argument }) => argument.kind === "file")) {
    for (const file of value) form.append(argument.name, file, file.name);
  }
  return form;
}

/** Join a list that the API expects as one text, with the separator of its OpenAPI `style`. */
export function joinList(argument, value) {
  return argument.explode === false && Array.isArray(value) ? value.join(SEPARATORS[argument.style]) : value;
}

function toText(value) {
  return typeof value === "string" ? value : toJson(value);
}
