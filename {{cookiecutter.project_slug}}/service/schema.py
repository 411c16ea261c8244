"""How the JSON schema of a model is walked: references, alternatives, items."""


class Schemas:
    """Schemas that refer to others by name."""

    def __init__(self, named: dict) -> None:
        self.named = named

    def options(self, schema: dict) -> list[dict]:
        """Give the schema that a schema refers to, or those that it chooses from."""
        if "$ref" in schema:
            return [self.named[schema["$ref"].rpartition("/")[2]]]
        return schema.get("anyOf", schema.get("oneOf", []))

    def alternatives(self, schema: dict) -> list[dict]:
        """Give the schemas that a schema chooses from, with references followed."""
        options = self.options(schema)
        return [found for each in options for found in self.alternatives(each)] or [schema]

    def items(self, schema: dict) -> list[dict]:
        """Give the schemas of the items of a list, none for what is no list."""
        lists = [option["items"] for option in self.alternatives(schema) if "items" in option]
        return self.alternatives(lists[0]) if lists else []

    def values(self, schema: dict) -> list[dict]:
        """Give the schemas of a value, or of each item of a list, but for null."""
        found = self.items(schema) or self.alternatives(schema)
        return [option for option in found if option.get("type") != "null"]

    def said(self, schema: dict, key: str, deep: bool = True) -> str:
        """Give a member of a schema, or else of what it refers to, of its options or its items."""
        is_list = "items" in schema
        below = [schema["items"]] if is_list and deep else self.options(schema)
        found = [self.said(each, key, deep and not is_list) for each in below]
        return str(schema.get(key, "")) or " or ".join(dict.fromkeys(filter(None, found)))
