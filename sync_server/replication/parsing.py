"""Strict JSON: what two parsers could read differently is refused, never guessed.

Duplicate keys, integers that no 64-bit number holds and numbers beyond a double's range change
meaning on their way through different programs, and money moves on this data. A body that
`JSON.stringify` made comes out of parsing and writing byte for byte as it went in, which none of
those can; only a body that differs is read a second, slower time to look for them.
"""

from __future__ import annotations

import json
import math
from typing import Any

import orjson

from sync_server.errors import BadRequest

MAX_DEPTH = 250
"""Levels of arrays and objects in one another, about; the writer of stored bodies ends at 254."""


def parse_json(raw: bytes) -> Any:
    """The value of a JSON text. Raises BadRequest saying what is wrong with it."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body must be valid UTF-8 JSON: {error}") from None
    if encode(value) != raw:
        _look_for_ambiguity(raw)
    return value


def parse_object(raw: bytes) -> dict[str, Any]:
    """As `parse_json`, for a text that must be a JSON object."""
    value = parse_json(raw)
    if not isinstance(value, dict):
        raise BadRequest("The body must be a JSON object.")
    return value


def encode(value: Any) -> bytes:
    """The value as compact JSON. Raises BadRequest where it is nested too deep."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        if "ecursion" in str(error):
            raise BadRequest(f"JSON may not be nested deeper than {MAX_DEPTH} levels.") from None
        raise


def encode_kept(value: Any) -> bytes:
    """As `encode`, in as many bytes as it needs.

    orjson reserves eight times the length of a string before it writes it, and leaves the rest
    as holes between the values that a batch keeps.
    """
    return memoryview(encode(value)).tobytes()


def _look_for_ambiguity(raw: bytes) -> None:
    json.loads(
        raw.decode(),
        object_pairs_hook=_unique_keys,
        parse_int=_integer_of_64_bits,
        parse_float=_finite,
    )


def _unique_keys(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise BadRequest(f"The key {json.dumps(key)} stands twice in one JSON object.")
        seen.add(key)


def _integer_of_64_bits(digits: str) -> None:
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**64:
        raise BadRequest(f"The integer {digits[:40]} does not fit 64 bits: send it as a string.")


def _finite(digits: str) -> None:
    if not math.isfinite(float(digits)):
        raise BadRequest(f"The number {digits[:40]} is beyond the range of a double.")
