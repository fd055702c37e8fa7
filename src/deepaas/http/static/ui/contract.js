// What a model takes and gives, read from the API's OpenAPI document. It must not know how forms look.

const FORMATS = {
  binary: "file",
  date: "date",
  "date-time": "datetime",
  "date-time-local": "datetime",
  time: "time",
  "time-local": "time",
  password: "password",
  email: "email",
  url: "url",
};
const PREDICT_PATH = /^\/v2\/models\/(.+)\/predict\/$/;
const SCALARS = ["string", "integer", "number", "boolean"];
const SECRET = /passw|secret/i;
const JSON_TYPE = "application/json";

/** Return the names of the models that the API serves. */
export function modelsIn(openapi) {
  return Object.keys(openapi.paths).flatMap((path) => path.match(PREDICT_PATH)?.[1] ?? []);
}

/**
 * Return the contract of a model: `{predict, train}`, each with the `arguments` of a form, and why it is
 * `unavailable`, if it is; `predict` also with the `mediaTypes` to choose from and the `schema` of its JSON.
 */
export function contractOf(openapi, model) {
  const root = `/v2/models/${model}`;
  const predict = openapi.paths[`${root}/predict/`].post;
  const train = openapi.paths[`${root}/train/`].post;
  const content = predict.responses["200"].content ?? {};
  return {
    predict: {
      ...callOf(openapi, predict),
      mediaTypes: Object.keys(content),
      schema: resolved(openapi, content[JSON_TYPE]?.schema ?? {}),
    },
    train: callOf(openapi, train),
  };
}

function callOf(openapi, operation) {
  const found = [...(operation.parameters ?? []), ...bodyArguments(operation)].map(
    ({ schema, ...argument }) => {
      const described = resolved(openapi, schema);
      return {
        description: described.description,
        ...argument,
        ...typeOf(openapi, argument.name, described),
      };
    },
  );
  const isFile = (argument) => argument.kind === "file";
  // People begin with what the model is to look at.
  const ordered = [...found.filter(isFile), ...found.filter((argument) => !isFile(argument))];
  return { arguments: ordered, unavailable: operation["x-unavailable"] ?? "" };
}

function bodyArguments(operation) {
  const [content] = Object.values(operation.requestBody?.content ?? {});
  const { properties = {}, required = [] } = content?.schema ?? {};
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: "body",
    required: required.includes(name),
    schema,
  }));
}

/** Return the kind of an argument, and what its schema says about its values. */
function typeOf(openapi, name, schema) {
  const types = [schema.type].flat().filter((word) => word && word !== "null");
  const type = types.length === 1 ? types[0] : undefined;
  const items = type === "array" ? resolved(openapi, schema.items ?? {}) : {};
  return {
    kind: kindOf(type, schema, items, name),
    isText: type === "string",
    itemType: items.type,
    isInteger: type === "integer",
    isList: type === "array",
    choices: (schema.enum ?? items.enum ?? []).filter((choice) => choice !== null),
    default: schema.default ?? null,
    minimum: schema.minimum ?? schema.exclusiveMinimum,
    maximum: schema.maximum ?? schema.exclusiveMaximum,
  };
}

function kindOf(type, schema, items, name) {
  if (items.format === "binary") return "file";
  if (items.enum) return "choices";
  if (type === "array") return SCALARS.includes(items.type) ? "list" : "json";
  if (schema.enum) return "choice";
  if (type === "object") return "json";
  if (type === "boolean") return "boolean";
  if (type === "integer" || type === "number") return "number";
  if (type === "string") return FORMATS[schema.format] ?? (SECRET.test(name) ? "password" : "text");
  return "text";
}

function resolved(openapi, schema) {
  const name = schema.$ref?.split("/").pop();
  return name ? openapi.components.schemas[name] : schema;
}
