"""JSON values compared as JSON: `1`, `1.0` and `true` are three values, key order is none."""

from __future__ import annotations

from typing import Any, Final

import orjson


class Missing:
    """Stands for a field that is not there; `null` is a value."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()
PLAIN: Final = frozenset({str, int, bool})
"""Types whose values are the same JSON where Python holds them, of one type, to be equal."""


def canonical(value: Any) -> bytes:
    """The same bytes for equal JSON values, on every peer."""
    if isinstance(value, Missing):
        return b""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def same(one: Any, other: Any) -> bool:
    # What Python holds to be different is so in JSON, too; what it holds to be equal may not be.
    if one is other:
        return True
    if type(one) is not type(other) or one != other:
        return False
    return type(one) in PLAIN or canonical(one) == canonical(other)
