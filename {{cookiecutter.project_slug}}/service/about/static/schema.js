// Reads in the schemas of the service what it says about the values in an answer.

const { named, takes, gives } = JSON.parse(document.querySelector("main").dataset.schemas);
export { gives, takes };

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
