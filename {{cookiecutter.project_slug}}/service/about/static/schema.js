// Reads in the description of the service about the values in an answer.

let named = {};

async function learn() {
  const { components, paths } = await (await fetch("openapi.json")).json();
  named = components.schemas;
  const { requestBody, responses } = paths["/api"].post;
  const schema = ({ content }) => content["application/json"].schema;
  return { takes: schema(requestBody), gives: schema(responses[200]) };
}

// The schemas of what the model takes and gives; without them an answer has no units.
export const described = learn().catch(() => ({}));

// A schema, or those that it refers to or chooses from.
export function options(schema = {}) {
  if (schema.$ref) return options(named[schema.$ref.split("/").pop()]);
  return (schema.anyOf ?? schema.oneOf ?? schema.allOf)?.flatMap(options) ?? [schema];
}

const values = (schema) => options(schema).filter(({ type }) => type !== "null");

// A member of a schema, or else of one of its options, or of the items of a list.
export function said(schema = {}, key) {
  const found = values(schema);
  const items = found.flatMap((option) => values(option.items));
  return [schema, ...found, ...items].find((option) => option[key] !== undefined)?.[key];
}

// The schema of a member of an object, or of an item of a list.
export function below(schema, key) {
  for (const { properties, additionalProperties, prefixItems, items } of options(schema)) {
    const found = properties?.[key] ?? prefixItems?.[key] ?? items ?? additionalProperties;
    if (found instanceof Object) return found;
  }
  return {};
}
