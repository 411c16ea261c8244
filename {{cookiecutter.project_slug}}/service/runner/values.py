"""Values of JSON, each read more strictly than by pydantic: base64, dates, names of numbers."""

import base64
import cmath
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial

from pydantic import TypeAdapter, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError, from_json

# The look of base64: padded, and with no bit set that says nothing.
PATTERN = "^(X{4})*(X{2}[AEIMQUYcgkosw048]=|X[AQgw]==)?$".replace("X", "[A-Za-z0-9+/]")


def encode(data: bytes) -> str:
    """Write bytes as base64 in the standard alphabet (RFC 4648, section 4)."""
    return base64.b64encode(data).decode()


def decode(text: object) -> bytes:
    """Read base64; an empty text is most likely a file that was lost.

    :raise PydanticCustomError: if the text is no base64 or has no bytes
    """
    if isinstance(text, bytes):
        return text
    try:
        data = base64.b64decode(text, validate=True)
    except (TypeError, ValueError):
        data = b""
    if not data or encode(data) != text:
        raise PydanticCustomError("base64", "Input should be a file, not empty (in JSON: base64)")
    return data


def dated(kind: type, read: Callable, looks: Callable, sample: str, value: object) -> object:
    """Read a text that is a date or the like; pydantic would take "2024" for seconds since 1970.

    :raise PydanticCustomError: if the value is no text that looks like one
    :raise ValidationError: if there is no such date
    """
    try:
        if isinstance(value, str) and looks(value):
            return read(value, strict=True)
    except OverflowError:  # of a duration that is longer than any of Python's
        value = None
    if isinstance(value, kind) or (kind is complex and type(value) in (int, float)):
        return value
    raise PydanticCustomError("text", f"Input should be {sample}")


def finite(value: object) -> object:
    """Leave a number that is finite, or a text of JSON in which all are.

    :raise PydanticCustomError: if a number is not finite
    """
    path = not_finite(value) if isinstance(value, str) else infinite(value)
    if path is not None:
        raise PydanticCustomError("finite_number", "Input should be a finite number")
    return value


def looked_at(read: Callable, body: bytes | str) -> object:
    """Read JSON for a type that would take any number, or that a validator of the author's makes.

    :raise ValidationError: if a number is not finite, or as the type says
    """
    if (path := not_finite(body)) is None:
        return read(body)
    fault = InitErrorDetails(type="finite_number" if path else SOMEWHERE, loc=path, input=None)
    raise ValidationError.from_exception_data("Input", [fault])


def not_finite(body: bytes | str) -> tuple | None:
    """The path to the first number in JSON that is not finite; None if there is none.

    Only JSON that looks as if it had one is read. In long JSON nobody looks for the place: the path
    is that of the whole.
    """
    alike = (body.encode(errors="replace") if isinstance(body, str) else body).translate(ZEROS)
    if not any(one in alike for one in TOO_LARGE):
        return None
    try:
        given = from_json(body, cache_strings="none")
    except ValueError:  # no JSON: the error is another
        return None
    try:
        json.dumps(given, allow_nan=False)  # faster than a look at each value
    except ValueError:
        return infinite(given) if len(body) < LONG else ()
    return None


def infinite(value: object) -> tuple | None:
    """The path to the first number in a value that is not finite; None if there is none."""
    if isinstance(value, (dict, list)):
        with suppress(TypeError, OverflowError):  # of numbers alone, the sum tells it at once
            if math.isfinite(sum(value)):
                return None
        members = value.items() if isinstance(value, dict) else enumerate(value)
        found = ((step, infinite(member)) for step, member in members)
        return next(((step, *rest) for step, rest in found if rest is not None), None)
    is_number = isinstance(value, (float, complex))
    return () if is_number and not cmath.isfinite(value) else None


def integral(value: object) -> object:
    """Leave an integer, or 8.0, as long as a float is exact; in a union 8.0 is a float first.

    :raise PydanticCustomError: if it is neither, such as true or a text
    """
    if type(value) is int:
        return value
    is_exact = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    if is_exact or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise PydanticCustomError("int_type", "Input should be a valid integer")


def fraction(value: object) -> object:
    """Read a fraction; of a float, its digits count, such as 0.1.

    :raise ValidationError: if it is none, such as true, which is 1 in Python
    """
    value = repr(value) if isinstance(value, float) else value
    return FRACTION(None if isinstance(value, bool) else value)


def chosen(known: list[tuple], value: object) -> object:
    """Read one of some values, each with its member; true and 1 differ, as they do in JSON.

    :raise PydanticCustomError: if it equals one of them and is another
    """
    same = (value, tuple(value)) if isinstance(value, list) else (value,)
    equal = {isinstance(found, bool): one for found, one in known if found in same}
    if equal and isinstance(value, bool) not in equal:
        words = " or ".join(repr(found) for found, _ in known)
        raise PydanticCustomError("literal_error", "Input should be {words}", {"words": words})
    return equal.get(isinstance(value, bool), value)


def in_order(values: Iterable, write: Callable) -> list:
    """Write a set in an order that is the same in every process."""
    written = write(values)
    try:
        return sorted(written)
    except TypeError:
        return sorted(written, key=repr)


def scattered(items: Iterable) -> Iterable:
    """Leave values that may become the members of a set, or the keys of an object.

    Python hashes a number by its remainder by 2**61 - 1. Of n numbers with one hash, each would be
    compared with each.

    :raise PydanticCustomError: if too many different ones have the same hash
    """
    if len(set(map(hash, items))) >= len(items) - ALIKE:
        return items
    different = {repr(item): hash(item) for item in items}  # most often, they are the same
    (_, number), *_ = Counter(different.values()).most_common(1)
    if number > ALIKE:
        raise PydanticCustomError("alike", f"Input should have at most {ALIKE} {SAME_HASH}")
    return items


def gathered(kind: type, items: list) -> object:
    """Make a set of a list; pydantic says what is wrong if a member can be in none."""
    with suppress(TypeError):
        return kind(scattered(items))
    return items


def by_key(read: dict[tuple, object]) -> dict:
    """Give an object by its keys that has been read by pairs of a name and a key.

    :raise PydanticCustomError: if two names mean the same key, since one value would be lost
    """
    scattered([key for _, key in read])
    found, names = type(read)({key: value for (_, key), value in read.items()}), {}
    for name, key in read if len(found) < len(read) else ():
        if (first := names.setdefault(key, name)) != name:
            words = {"first": json.dumps(first), "name": json.dumps(name)}
            raise PydanticCustomError(
                "same_key", "{first} and {name} mean the same: give one", words
            )
    return found


def unquoted(looks: re.Pattern, name: object) -> object:
    """Leave a name that is a number, as JSON writes it."""
    return None if isinstance(name, str) and not looks.fullmatch(name) else name


def as_typed(name: str, *, strict: bool) -> str:
    """Leave a name that looks like a date, which pydantic reads."""
    return name


def sized(schema: dict, kind: str) -> str:
    """The pattern of the names that are numbers; within bounds, of those without an exponent."""
    bounds = {key: Decimal(str(schema[key])) for key in ENDS if key in schema}
    within = [bounded(key, bound) for key, bound in bounds.items() if abs(bound) < 10**99]
    digits = PLAIN if within and kind != "integer" else LOOKS[kind]
    return f"^{''.join(within)}({digits})$"


def bounded(key: str, bound: Decimal) -> str:
    """The part of a pattern that holds a number within one bound."""
    minus, is_open = ENDS[key]
    bound = -bound if minus else bound  # the mirror image of a number below a bound is above it
    if bound > 0 or (is_open and not bound):
        return f"(?={minus}({above(bound, is_open)})$)"
    return f"(?!{'' if minus else '-'}({above(-bound, not is_open)})$)"


def above(bound: Decimal, is_open: bool) -> str:
    """The pattern of the digits of a number that is larger than another, or the same."""
    text, part = f"{bound.normalize():f}", r"(\.[0-9]+)?"
    length, is_whole = len(text.partition(".")[0]), "." not in text
    found = ["[1-9]" + "[0-9]" * length + "[0-9]*" + part]
    for place, digit in enumerate(text):
        if digit not in "9.":
            rest = "[0-9]" * (length - place - 1) + part if place < length else "[0-9]*"
            found.append(f"{re.escape(text[:place])}[{int(digit) + 1}-9]{rest}")
    more = r"\." * is_whole + "0*[1-9][0-9]*"
    same = part if is_whole else "[0-9]*"
    return "|".join([*found, re.escape(text) + (more if is_open else same)])


SOMEWHERE = PydanticCustomError("finite_numbers", "Input should have finite numbers alone")
LONG = 1_000_000  # bytes of a body in which the place of such a number is not looked for
# How a number begins to be too large for a float, where each digit is written as 0
ZEROS = bytes.maketrans(b"E123456789", b"e000000000")
TOO_LARGE = (b"NaN", b"Infinity", b"e000", b"e+000", b"0" * 200)
ALIKE = 100  # different numbers with one hash
SAME_HASH = "numbers with the same remainder by 2^61 - 1"
DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
# The look of a text, with an example of it, by the type that is made of it.
LOOK = {date: (f"{DAY}$", "a date such as 2024-02-29"), time: ("", "a time such as 08:30")}
LOOK |= {datetime: (f"{DAY}[Tt _]", "a date and time such as 2024-02-29T08:30:00")}
LOOK |= {timedelta: ("", "a duration such as PT8H30M")}
LOOK |= {complex: ("", "a complex number such as 1+2j")}
LOOK = {kind: (re.compile(looks).match, sample) for kind, (looks, sample) in LOOK.items()}
READ = {kind: TypeAdapter(kind).validate_strings for kind in LOOK}
TEXTS = {kind.__name__: partial(dated, kind, READ[kind], *look) for kind, look in LOOK.items()}
TEXTS |= {"bytes": decode, "fraction": fraction}
FRACTION = TypeAdapter(Fraction).validate_python
# The pattern of a name that stands for a number, by the type of the key.
INTEGER = "0|-?[1-9][0-9]*"
PLAIN = r"-?(0|[1-9][0-9]{0,99})(\.[0-9]{1,17})?"
ENDS = {"minimum": ("", False), "exclusiveMinimum": ("", True)}
ENDS |= {"maximum": ("-", False), "exclusiveMaximum": ("-", True)}
NUMBER = r"-?(0|[1-9][0-9]{0,99})(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?"  # which a double holds
NAMES = {"int": INTEGER, "float": NUMBER, "bool": "true|false"}
NAMES = {kind: partial(unquoted, re.compile(looks)) for kind, looks in NAMES.items()}
NAMES |= {kind.__name__: partial(dated, kind, as_typed, *look) for kind, look in LOOK.items()}
# Parts of a pattern that only Rust or Python knows: JSON Schema has the patterns of JavaScript
FOREIGN = r"\(\?(?![:=!<])|\\[AzZpPaU<>]|\\[xub]\{|[+*?}]\+|\[[^\]]*((?<!\\)\[|&&|--|~~)"
# The look of a decimal, a date and a time of day in a description
DIGITS = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?0*[0-9]{1,18})?$"
LEAP = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29"
DATE = f"(?!(?!{LEAP})....-02-29)"
DATE += "(?!0000)[0-9]{4}-(?!02-3|(04|06|09|11)-31)(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
TIME = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?"
LOOKS = {"integer": INTEGER, "number": NUMBER, "decimal": DIGITS[1:-1]}
