"""Values of NumPy and pandas in answers that are loosely typed, such as `dict`."""

import math
from copy import copy
from dataclasses import fields, is_dataclass
from functools import partial

from pydantic import BaseModel

MISSING = {"NaT", "<NA>"}  # how pandas writes what is missing; it equals nothing, not even itself
NANOSECONDS = {"<M8[ns]": "M8[us]", "<m8[ns]": "m8[us]"}  # Python's dates have microseconds


def plain(value: object) -> object:
    """Give a value that pydantic does not know as one of Python."""
    kind = getattr(getattr(value, "dtype", None), "str", "")
    if kind in NANOSECONDS:
        value = value.astype(NANOSECONDS[kind])
    found = value.tolist() if hasattr(value, "tolist") else value
    if type(found) is type(value):
        kind, way_out = type(value).__name__, "give numbers, texts, lists or dicts"
        raise TypeError(f"Output holds a value of type {kind}, which JSON cannot say: {way_out}.")
    return found


def nulls(value: object, is_read: bool = False) -> object:
    """Give a value with null in the place of what is missing or not finite, and lists of iterators.

    :raise TypeError: if it has been read before, and holds an iterator, which can be read but once
    """
    again = partial(nulls, is_read=is_read)
    if isinstance(value, BaseModel):
        return value.model_copy(update=again(dict(value)))
    if isinstance(value, dict):
        return {name: again(member) for name, member in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return getattr(value, "_make", type(value))(map(again, value))
    if is_dataclass(value):
        made = copy(value)
        for field in fields(value):
            object.__setattr__(made, field.name, again(getattr(value, field.name)))
        return made
    if hasattr(value, "tolist"):
        return again(plain(value))
    if hasattr(value, "__next__"):
        if is_read:
            raise TypeError("Output holds an iterator that fails while it is read: give a list.")
        return list(map(again, value))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return None if type(value).__module__.startswith("pandas") and str(value) in MISSING else value
