"""The control of the page for a field of `Input`."""

from service.fields import Field
from service.words import text


def control(field: Field, value: object) -> dict:
    """What the template needs to draw a field, filled with its value if it has one."""
    kind = kind_of(field, value)
    kinds = [option.get("type") for option in field.options]
    facts = field.facts
    if kind == "choice":  # which says itself what there is, but for the default
        facts = facts[-1:] * (not field.is_required)
    return {
        "name": field.name,
        "kind": kind,
        "description": field.description,
        "facts": [*facts, *["one per line"] * (kind == "list")],
        "required": field.is_required,
        "choices": [found for choice in field.choices for found in field.texts(choice)],
        "value": "\n".join(field.texts(value, indent=2)),
        "nested": field.is_nested,
        "multiple": field.repeats,
        "numeric": {*kinds} <= {"integer", "number"},  # spaces around numbers mean nothing
        "literal": field.literal,
    }


def kind_of(field: Field, value: object) -> str:
    """The control that suits a field and its value; `json` is for what is nested."""
    if field.is_file:
        return "file"
    if field.choices:
        return "choice"
    if field.is_nested:
        return "json"
    if field.repeats:
        return "list"
    longest = max((option.get("maxLength", 0) for option in field.options), default=0)
    return "long" if longest > 100 or len(text(value)) > 60 or "\n" in text(value) else "line"
