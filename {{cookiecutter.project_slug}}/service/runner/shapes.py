"""JSON schemas changed: those of files and moments, of anything, and of what JSON cannot say."""

import json

# The members of a schema that tell of a value, and promise nothing
SAYS = ("title", "description", "examples", "unit", "units")


def promised_nothing(found: dict) -> dict:
    """A schema of anything, which says of a value and of its members what their author says."""
    members = {name: promised_nothing(one) for name, one in found.get("properties", {}).items()}
    more = {"properties": members, "additionalProperties": True} if members else {}
    return {key: found[key] for key in SAYS if key in found} | more


def in_base64(found: dict) -> dict:
    """The bounds of a length in bytes as those of a text in base64."""
    return {key: (found[key] + 2) // 3 * 4 for key in found if "Length" in key}


def zoned(aware: dict, schema: dict, pattern: str) -> dict:
    """The schema of a moment: the format of JSON Schema has a zone, that of OpenAPI none."""
    if "format" not in aware:  # its author has it written as a number
        return aware
    naive = {"type": "string", "format": f"{aware['format']}-local", "pattern": f"^{pattern}$"}
    either = {"anyOf": [aware, naive]}
    return {"aware": aware, "naive": naive}.get(schema.get("tz_constraint"), either)


def finite(schema: dict) -> dict:
    """A schema without what JSON cannot say, such as infinity, and without a default of no type."""
    lost = object()

    def kept(members: list) -> dict:
        found = {key: it for key, it in members if lost not in (it if type(it) is list else [it])}
        default, kind = found.get("default", ""), found.get("type")
        # Such as of `note: str = None`, and of Json
        if (default is None and kind) or (kind == "string" and not isinstance(default, str)):
            del found["default"]
        return found

    return json.loads(json.dumps(schema), parse_constant=lambda _: lost, object_pairs_hook=kept)
