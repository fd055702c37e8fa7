// Converts defaults to field values, and field values to arguments.

import { isStructure, parseJson, parseNumber, toComparable, toJson, toNumber } from "../json.js";

/** Return the field values of the arguments' defaults, by name. */
export function buildInitialValues(operation) {
  return Object.fromEntries(
    operation.arguments.map((argument) => [argument.name, toFieldValue(argument, argument.default)]),
  );
}

/** Convert an argument's JSON value to the value of its field. */
export function toFieldValue(argument, value) {
  if (argument.kind === "file") return [];
  if (argument.kind === "choices") return (value ?? []).map(String);
  if (value === null || value === undefined) return "";
  switch (argument.kind) {
    case "boolean":
      return Boolean(value);
    case "json":
      return toJson(value, 2);
    case "list":
      return [value].flat().join(isNumberList(argument) ? ", " : "\n");
    case "datetime":
      return String(value)
        .replace(/(Z|[+-]\d\d:?\d\d)$/, "")
        .replace(" ", "T");
    default:
      return isStructure(value) ? toJson(value) : String(value);
  }
}

/** Check whether an argument is a list of numbers, which is entered on one line. */
export function isNumberList(argument) {
  return argument.itemType === "integer" || argument.itemType === "number";
}

/**
 * Return `{inputs, problems}`: a list of `{argument, value}` for the arguments that are filled in, with JSON
 * values or files, and messages by name for fields with invalid JSON.
 */
export function parseInputs(operation, values) {
  const inputs = [];
  const problems = {};
  for (const argument of operation.arguments) {
    try {
      const value = parseInput(argument, values[argument.name]);
      if (value !== undefined) inputs.push({ argument, value });
    } catch (error) {
      problems[argument.name] = [`Invalid JSON: ${error.message}.`];
    }
  }
  return { inputs, problems };
}

function parseInput(argument, value) {
  if (isUntouchedDefault(argument, value)) return argument.default;
  switch (argument.kind) {
    case "file":
      return value.length ? value : undefined;
    case "boolean":
      return value === "" ? undefined : value;
    case "choices":
      return value.length || argument.default
        ? value.map((choice) => findChoice(argument, choice))
        : undefined;
    case "choice":
      return value === "" ? undefined : findChoice(argument, value);
    case "number":
      return value.trim() === "" ? undefined : parseNumeric(value.trim());
    case "list":
      return value.trim() === "" && !argument.default ? undefined : parseList(argument, value);
    case "json":
      return value.trim() === "" ? undefined : parseJson(value);
    case "text":
      return value === "" && !argument.default ? undefined : parseUntyped(argument, value);
    default:
      return value === "" ? undefined : value;
  }
}

function findChoice(argument, text) {
  return argument.choices.find((choice) => String(choice) === text) ?? text;
}

/** Check whether a field still shows the default, which is then sent as it is: a field loses its type and zone. */
function isUntouchedDefault(argument, value) {
  if (argument.kind === "file" || argument.default === null || value === "") return false;
  return toComparable(value) === toComparable(toFieldValue(argument, argument.default));
}

/** Return the number, or the text if it is not a finite number, so that the server validates it. */
function parseNumeric(text) {
  const number = parseNumber(text);
  return Number.isFinite(toNumber(number)) ? number : text;
}

function parseList(argument, text) {
  const parts = text.split(isNumberList(argument) ? /[\s,;]+/ : /\r?\n/).filter((part) => part.trim() !== "");
  return isNumberList(argument) ? parts.map(parseNumeric) : parts;
}

/** Parse a text that looks like a JSON object or array, for an argument without a type. */
function parseUntyped(argument, text) {
  if (argument.isText || !/^\s*[[{]/.test(text)) return text;
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}
