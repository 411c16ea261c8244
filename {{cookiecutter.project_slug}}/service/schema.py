"""How the JSON schema of a model is walked: references, alternatives, items."""


class Schemas:
    """Schemas that refer to others by name."""

    def __init__(self, named: dict) -> None:
        self.named = named

    def definition(self, schema: dict) -> dict:
        """The schema that a schema refers to."""
        return self.named[schema["$ref"].rpartition("/")[2]]

    def alternatives(self, schema: dict) -> list[dict]:
        """The schemas that a schema chooses from, with references followed."""
        if "$ref" in schema:
            return self.alternatives(self.definition(schema))
        if options := schema.get("anyOf", schema.get("oneOf")):
            return [found for option in options for found in self.alternatives(option)]
        return [schema]

    def items(self, schema: dict) -> list[dict]:
        """The schemas of the items of a list, none for what is no list."""
        lists = [option["items"] for option in self.alternatives(schema) if "items" in option]
        return self.alternatives(lists[0]) if lists else []

    def kinds(self, schema: dict) -> list[dict]:
        """The schemas that a schema, or an item of a list, chooses from, but for null."""
        found = self.items(schema) or self.alternatives(schema)
        return [option for option in found if option.get("type") != "null"]

    def said(self, schema: dict, key: str, deep: bool = True) -> str:
        """What a schema says by a key, or else what it refers to, its options or its items say."""
        below = schema.get("anyOf", schema.get("oneOf", []))
        below = [self.definition(schema)] if "$ref" in schema else below
        below = [schema["items"]] if "items" in schema and deep else below
        found = [self.said(each, key, deep and "items" not in schema) for each in below]
        return str(schema.get(key, "")) or " or ".join(dict.fromkeys(filter(None, found)))
