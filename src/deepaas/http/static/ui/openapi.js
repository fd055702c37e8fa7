// Reads models, arguments and response schemas from the OpenAPI document.

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
export function listModels(openapi) {
  return Object.keys(openapi.paths).flatMap((path) => path.match(PREDICT_PATH)?.[1] ?? []);
}

/**
 * Return a model's operations, `{predict, train}`. Each has `arguments` and `unavailable`, the reason why it cannot
 * be called (or ""). `predict` also has the response's `mediaTypes` and the `schema` of its JSON.
 */
export function parseOperations(openapi, model) {
  const root = `/v2/models/${model}`;
  const predict = openapi.paths[`${root}/predict/`].post;
  const train = openapi.paths[`${root}/train/`].post;
  const content = predict.responses["200"].content ?? {};
  return {
    predict: {
      ...parseOperation(openapi, predict),
      mediaTypes: Object.keys(content),
      schema: resolveReference(openapi, content[JSON_TYPE]?.schema ?? {}),
    },
    train: parseOperation(openapi, train),
  };
}

function parseOperation(openapi, operation) {
  const operationArguments = [...(operation.parameters ?? []), ...listBodyArguments(operation)].map(
    ({ schema, ...argument }) => {
      const resolved = resolveReference(openapi, schema);
      return {
        description: resolved.description,
        ...argument,
        ...parseSchema(openapi, argument.name, resolved),
      };
    },
  );
  const isFile = (argument) => argument.kind === "file";
  // Files first: they are the model's main input.
  const ordered = [
    ...operationArguments.filter(isFile),
    ...operationArguments.filter((argument) => !isFile(argument)),
  ];
  return { arguments: ordered, unavailable: operation["x-unavailable"] ?? "" };
}

function listBodyArguments(operation) {
  const [content] = Object.values(operation.requestBody?.content ?? {});
  const { properties = {}, required = [] } = content?.schema ?? {};
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: "body",
    required: required.includes(name),
    schema,
  }));
}

/** Return an argument's input kind, and the types, choices, default and range from its schema. */
function parseSchema(openapi, name, schema) {
  const types = [schema.type].flat().filter((each) => each && each !== "null");
  const type = types.length === 1 ? types[0] : undefined;
  const items = type === "array" ? resolveReference(openapi, schema.items ?? {}) : {};
  return {
    kind: getInputKind(type, schema, items, name),
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

function getInputKind(type, schema, items, name) {
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

function resolveReference(openapi, schema) {
  const name = schema.$ref?.split("/").pop();
  return name ? openapi.components.schemas[name] : schema;
}
