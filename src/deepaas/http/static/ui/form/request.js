// A filled-in form as a request: JSON, or a multipart body when there are files.

import { comparable, isStructure, toJson } from "../json.js";

const SEPARATORS = { form: ",", spaceDelimited: " ", pipeDelimited: "|" };

/** Return what `fetch` takes to send `given`, as `filledIn` returns it. */
export function requestOf(given) {
  const inHeaders = given.filter(({ argument }) => argument.in === "header");
  const headers = Object.fromEntries(inHeaders.map(({ argument, value }) => [argument.name, written(value)]));
  if (hasFiles(given)) return { method: "POST", headers, body: multipart(given) };
  const type = { "Content-Type": "application/json" };
  return { method: "POST", headers: { ...headers, ...type }, body: toJson(jsonOf(given)) };
}

/** Say whether there are files to send. */
export function hasFiles(given) {
  return given.some(({ argument }) => argument.kind === "file");
}

/** Return what goes into the body, by name; files are left out. */
export function jsonOf(given) {
  const inBody = given.filter(({ argument }) => argument.in !== "header" && argument.kind !== "file");
  return Object.fromEntries(inBody.map(({ argument, value }) => [argument.name, joined(argument, value)]));
}

/** Return the texts of a multipart body as pairs of name and text; a list has a pair for each item. */
export function partsOf(given) {
  return Object.entries(jsonOf(given)).flatMap(([name, value]) => {
    const isPlainList =
      Array.isArray(value) && value.length && value.every((item) => item !== null && !isStructure(item));
    return (isPlainList ? value : [value]).map((item) => [name, written(item)]);
  });
}

/** Return what of a form differs from its defaults, to tell calls apart; secrets are left out. */
export function chosenOf(given) {
  const open = given.filter(({ argument }) => argument.kind !== "password");
  const chosen = open.filter(
    ({ argument, value }) => comparable(value) !== comparable(argument.default),
  );
  return Object.fromEntries(
    chosen.map(({ argument, value }) => [argument.name, argument.kind === "file" ? names(value) : value]),
  );
}

function names(files) {
  return files.map((file) => file.name).join(", ");
}

function multipart(given) {
  const form = new FormData();
  for (const [name, text] of partsOf(given)) form.append(name, text);
  for (const { argument, value } of given.filter(({ argument }) => argument.kind === "file")) {
    for (const file of value) form.append(argument.name, file, file.name);
  }
  return form;
}

/** A list that the API takes as one text is written with what separates its items there. */
export function joined(argument, value) {
  return argument.explode === false && Array.isArray(value) ? value.join(SEPARATORS[argument.style]) : value;
}

function written(value) {
  return typeof value === "string" ? value : toJson(value);
}
