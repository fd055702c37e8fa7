// From what stands in a form to what a request says, and from defaults to what stands in a form.

import { comparable, isStructure, parseJson, parseNumber, toJson, toNumber } from "../json.js";

/** Return what a form shows before anybody has touched it. */
export function initialValues(call) {
  return Object.fromEntries(
    call.arguments.map((argument) => [argument.name, shown(argument, argument.default)]),
  );
}

/** Return a value of an argument, as JSON has it, as its field shows it. */
export function shown(argument, value) {
  if (argument.kind === "file") return [];
  if (argument.kind === "choices") return (value ?? []).map(String);
  if (value === null || value === undefined) return "";
  switch (argument.kind) {
    case "boolean":
      return Boolean(value);
    case "json":
      return toJson(value, 2);
    case "list":
      return [value].flat().join(isOfNumbers(argument) ? ", " : "\n");
    case "datetime":
      return String(value)
        .replace(/(Z|[+-]\d\d:?\d\d)$/, "")
        .replace(" ", "T");
    default:
      return isStructure(value) ? toJson(value) : String(value);
  }
}

/** Say whether an argument is a list of numbers, which people write in one line. */
export function isOfNumbers(argument) {
  return argument.itemType === "integer" || argument.itemType === "number";
}

/**
 * Return `{given, problems}`: each argument that was filled in with its `value` as JSON or files, and the
 * messages, by name, of what cannot be sent.
 */
export function filledIn(call, values) {
  const given = [];
  const problems = {};
  for (const argument of call.arguments) {
    try {
      const value = meant(argument, values[argument.name]);
      if (value !== undefined) given.push({ argument, value });
    } catch (error) {
      problems[argument.name] = [`Not JSON: ${error.message}.`];
    }
  }
  return { given, problems };
}

function meant(argument, value) {
  if (isUntouchedDefault(argument, value)) return argument.default;
  switch (argument.kind) {
    case "file":
      return value.length ? value : undefined;
    case "boolean":
      return value === "" ? undefined : value;
    case "choices":
      return value.length || argument.default ? value.map((choice) => original(argument, choice)) : undefined;
    case "choice":
      return value === "" ? undefined : original(argument, value);
    case "number":
      return value.trim() === "" ? undefined : numeric(value.trim());
    case "list":
      return value.trim() === "" && !argument.default ? undefined : items(argument, value);
    case "json":
      return value.trim() === "" ? undefined : parseJson(value);
    case "text":
      return value === "" && !argument.default ? undefined : anything(argument, value);
    default:
      return value === "" ? undefined : value;
  }
}

function original(argument, text) {
  return argument.choices.find((choice) => String(choice) === text) ?? text;
}

/** A field cannot show all that a default is: whether it is a text, a moment's time zone. */
function isUntouchedDefault(argument, value) {
  if (argument.kind === "file" || argument.default === null || value === "") return false;
  return comparable(value) === comparable(shown(argument, argument.default));
}

/** What is no number, or too large for the server's JSON, is left to the field of the model to judge. */
function numeric(text) {
  const number = parseNumber(text);
  return Number.isFinite(toNumber(number)) ? number : text;
}

function items(argument, text) {
  const parts = text.split(isOfNumbers(argument) ? /[\s,;]+/ : /\r?\n/).filter((part) => part.trim() !== "");
  return isOfNumbers(argument) ? parts.map(numeric) : parts;
}

/** An argument without a type takes a structure as well as a text. */
function anything(argument, text) {
  if (argument.isText || !/^\s*[[{]/.test(text)) return text;
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}
