"""What is wrong with an input, in paths into what was sent; and readers that stop early."""

import json
import re
from datetime import date
from functools import lru_cache, partial
from itertools import islice

from pydantic import BaseModel, ValidationError
from pydantic_core import core_schema, from_json

from service import frames
from service.frames import Frame
from service.machine import undisturbed
from service.runner.strict import holds, kind_of, reader, within
from service.words import LONGEST, MOST, WORDS, bound, quoted, shorten, text

FAULTS = 50_000  # that an input can have which is read as a whole
ROW = 1000  # bytes of a row that is
LONG = 4400  # characters of a faulty value: enough to see that an integer has too many digits
LISTS = {"list", "set", "frozenset", "tuple", "dict", "generator"}
CHOOSE = ("union", "function-wrap")  # what goes on after a fault
SHOULD = re.compile("^(Input|Name) should be ")
REQUIRED = "Field required"
UNKNOWN = "No such field"
# The faults of what JSON writes without quotes, and how that looks
BARE = {"int_type": "integer", "float_type": "number", "bool_type": "boolean"}
BARE = {fault: WORDS["kinds"][kind]["looks"] for fault, kind in BARE.items()}
EXACT = "from 2^53 on, write it with all its digits and without a point"
PREFIX = re.compile("^(Value error|Assertion failed), ")  # before words of the author's
WORDLESS = "Not taken by a check of the model"
NO_FAULT = "default_factory_not_called"  # of a default, because another field has a fault
# Words of pydantic's for people who know Python, and what stands in their place
WORDED = {
    "^Unable to extract tag using discriminator (?:.* \\| )?(.*)$": r"Give \1",
    r"^Input tag .* using (?:.* \| )?(.*) does not .* tags: (.*)$": r"\1 should be one of \2",
    r"^Give .*\(\)$": "Input should be of a known kind",
    r"^.*\(\) should be": "Its kind should be",
    "^Unexpected keyword argument$": UNKNOWN,
    "^Value should have (.*?) items? after validation": r"Input should have a length of \1",
    r"^\w+ should have (.*) after validation": r"Input should have \1",
    "^Input should be a (valid )?dictionary or (an )?instance of .*": "Input should be an object",
    "^JSON input should be .*": "Input should be a text that holds JSON",
    "a valid (python )?complex .*": "a complex number such as 1+2j",
    r"<\w+\.\w+: (.*?)>": r"\1",
    "^Decimal input should be an .*": "Input should be a valid decimal",
    "^Decimal input": "Input",
    r"Decimal\('([^']*)'\)": r"\1",
    r"datetime.date\((\d+), (\d+), (\d+)\)": lambda day: str(date(*map(int, day.groups()))),
    r"(?<![\w.'])0\.0{6,}[1-9][0-9]*": lambda found: bound(float(found[0])),
    r"(?<![\w.'])10{15,}(?![\w.'])": lambda found: bound(found[0]),
    r"(?<![\w'])True(?![\w'])": "true",
    r"(?<![\w'])False(?![\w'])": "false",
    r"(?<![\w'])None(?![\w'])": "null",
}
KEEP = ", unless the address ends in ?keep= and its name"


class Stop(Exception):
    """The first name that is missing, or that `Input` does not have."""


def stop(reason: str, name: str) -> None:
    """Refuse a name, and read no further."""
    raise Stop(name, reason)


def hasty(part: object, stops: bool = True) -> object:
    """A part of a core schema that reads no further than to a fault in a list or in its names.

    For pydantic each fault costs as much as the object that it is in: a million of them in a body
    would take all the memory. A choice of a union does not stop: another choice may fit.
    """
    kind = kind_of(part)
    if kind == "definitions":  # what has a name may stand in a choice
        chosen = any(holds(part, one) for one in CHOOSE)
        named = [hasty(one, stops and not chosen) for one in part["definitions"]]
        return part | {"schema": hasty(part["schema"], stops), "definitions": named}
    stops = stops and kind not in CHOOSE
    part = within(part, partial(hasty, stops=stops))
    if kind in LISTS:
        return part | {"fail_fast": True}
    return closed(part) if stops and kind == "model" else part


def demanded(name: str, field: dict) -> dict:
    """A field at which reading stops if it is required and missing."""
    if field["schema"]["type"] == "default":
        return field
    called = field.get("validation_alias", name)
    missing = partial(stop, REQUIRED, called if isinstance(called, str) else called[0][0])
    schema = core_schema.with_default_schema(field["schema"], default_factory=missing)
    return field | {"schema": schema}


def closed(model: dict) -> dict:
    """An object whose reading stops at a name that is missing or that it does not have."""
    fields = model["schema"]
    if fields["type"] != "model-fields":
        return model
    own = {name: demanded(name, field) for name, field in fields["fields"].items()}
    fields = fields | {"fields": own}
    if model.get("config", {}).get("extra_fields_behavior", "forbid") == "forbid":
        names = core_schema.no_info_plain_validator_function(partial(stop, UNKNOWN))
        fields |= {"extra_behavior": "allow", "extras_keys_schema": names}
        # What was read so is the same as any other object: without members of other names.
        fields = core_schema.no_info_after_validator_function(
            lambda read: (read[0], None, read[2]), fields
        )
    return model | {"schema": fields}


class Reader:
    """Reads inputs; on a fault, it reads a short one again for all faults."""

    def __init__(self, kind: type[BaseModel]) -> None:
        self.read = undisturbed()(reader(kind, hasty))
        self.read_whole = reader(kind)
        fields = [one for one in kind.model_fields.items() if one[1].is_required()]
        aliases = [(own, found.validation_alias or own) for own, found in fields]
        # The names of each field that is required, of which an input has one
        self.required = [(*getattr(alias, "choices", [alias]), own) for own, alias in aliases]
        # An item takes three bytes, as in {}, and may lack each field of its class.
        self.long = 3 * FAULTS // max(1, repr(kind.__pydantic_core_schema__).count("-field'"))

    @undisturbed()
    def refusal(self, error: ValidationError | Stop, body: bytes | str, is_row: bool) -> Frame:
        """Say what is wrong with an input: the first faults, how many there are, what was sent.

        The number is 0 where reading has stopped early.
        """
        if said := malformed(error):
            return said
        given, number = from_json(body, cache_strings="none"), 0
        names = given if isinstance(given, dict) else {}
        lacking = [called[0] for called in self.required if names.keys().isdisjoint(called)]
        if len(lacking) <= MOST and len(body) <= (min(self.long, ROW) if is_row else self.long):
            try:
                self.read_whole(body)
            except ValidationError as whole:
                error, number = whole, 1
        if isinstance(error, ValidationError):
            reasons = explained(error, given, is_row)
            number *= len(reasons)
        else:
            reasons = dict.fromkeys(lacking, REQUIRED) or dict([error.args])
            number = len(lacking)
        return told(reasons, number, given)


def malformed(error: ValidationError | Stop) -> Frame | None:
    """Say why a body is no JSON, if that is what is wrong."""
    is_one = isinstance(error, ValidationError) and error.error_count() == 1
    fault = error.errors(include_input=False)[0] if is_one else {}
    reason = fault.get("msg", "").replace(
        "number out of range", "more than 4300 digits in a number"
    )
    is_malformed = fault.get("type") == "json_invalid" and not fault["loc"]  # not in a field
    return (frames.MALFORMED, b"", reason.encode()) if is_malformed else None


def explained(error: ValidationError, given: object, is_row: bool) -> dict[str, str]:
    """Give the reason of each fault by its place in what was sent, for a union all reasons."""
    faults = error.errors(include_url=False, include_context=False)[:FAULTS]
    faults = [fault for fault in faults if fault["type"] != NO_FAULT]
    paths = [path(fault, given) for fault in faults]
    # Where a list is wrong within, nobody asks for the number that may stand in its place.
    above = {found[:length] for found in paths for length in range(len(found))}
    reasons = {}
    for found, fault in zip(paths, faults, strict=True):
        place, reason = ".".join(map(str, found)) or "body", worded(fault)
        if fault["type"] == "extra_forbidden":
            reason = UNKNOWN + KEEP * (is_row and len(found) == 1)
        if fault["type"].endswith("_type") and found in above:
            continue
        if place in reasons and reason not in reasons[place]:
            reasons[place] += f" or {SHOULD.sub('', reason)}"
        reasons.setdefault(place, reason)
    return reasons


def worded(fault: dict) -> str:
    """The reason of a fault in words of JSON; the author's own words stay as they are."""
    reason = fault["msg"]
    if PREFIX.match(reason):
        words = PREFIX.sub("", reason)
        return words if words.strip() else WORDLESS
    # Keep no long one, which may hold what was sent.
    reason = (reworded if len(reason) < LONGEST else reworded.__wrapped__)(reason)
    if "[key]" in fault["loc"]:
        return reason.replace("Input", "Name", 1)
    looks, given = BARE.get(fault["type"]), fault["input"]
    if looks and isinstance(given, str) and re.fullmatch(looks, given):
        return f"{reason}, without quotes"
    is_rounded = fault["type"] == "int_type" and isinstance(given, float) and given.is_integer()
    return f"{reason}: {EXACT}" if is_rounded else reason


@lru_cache(ROW)
def reworded(reason: str) -> str:
    """A reason of pydantic's in other words; many faults of an input have the same."""
    for words, better in WORDED.items():
        reason = re.sub(words, better, reason)
    return reason


def path(fault: dict, given: object) -> tuple:
    """The place of a fault in what was sent; of unions pydantic names the choices too."""
    found = []
    for step in fault["loc"]:
        is_item = isinstance(given, list) and isinstance(step, int) and step < len(given)
        if is_item or (isinstance(given, dict) and step in given):
            given = given[step]
            found.append(step)
    return (*found, *([fault["loc"][-1]] if fault["type"] == "missing" else ()))


def value(given: object, place: str) -> str:
    """Write the value at a place in what was sent, if it is one that a text may say."""
    for step in place.split("."):
        is_item = isinstance(given, list) and step.isdecimal() and int(step[:9]) < len(given)
        given = given[int(step)] if is_item else given.get(step) if isinstance(given, dict) else []
    return "" if isinstance(given, dict | list) else text(given)[:LONG]


def told(reasons: dict, number: int, given: object) -> Frame:
    """Put a refusal into a frame, with the beginning of what was sent and the faulty values."""
    given = given if isinstance(given, dict) else {"body": given}
    few = islice(reasons.items(), MOST)
    first = {shorten(place, LONG): shorten(reason, LONG) for place, reason in few}
    supplied, values = quoted(given, LONGEST, first, 100), {one: value(given, one) for one in first}
    found = {"errors": first, "number": number, "supplied": supplied, "values": values}
    return frames.INVALID, b"", json.dumps(found).encode()
