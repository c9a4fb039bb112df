"""Strict JSON: what two parsers could read differently is refused, never guessed.

Duplicate keys, integers that no 64-bit number holds and numbers beyond a double's range change
meaning on their way through different programs, and money moves on this data. A body that
`JSON.stringify` made comes out of parsing and writing byte for byte as it went in, which none of
those can; only a body that differs is read a second, slower time to look for them.

A batch of documents is read with all that is in it: which document holds an integer that is too
large, or half a character, is found out document by document, so that the others can be taken.
JavaScript makes both: `2 ** 65`, and a text that was cut in the middle of an emoji.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import orjson

from sync_server.errors import BadRequest
from sync_server.settings import DEEPEST_JSON

TOO_DEEP = f"JSON may not be nested deeper than {DEEPEST_JSON} levels."


def parse_json(raw: bytes, *, any_value: bool = False) -> Any:
    """The value of a JSON text. Raises BadRequest saying what is wrong with it.

    `any_value` keeps integers beyond 64 bits and lone surrogates, for `encode_document` to find.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if any_value and "surrogate" in str(error):
            return _read_exactly(raw, int)
        raise BadRequest(f"The body must be valid UTF-8 JSON: {error}") from None
    if encode(value) == raw:
        return value
    exact = _read_exactly(raw, int if any_value else _integer_of_64_bits)
    return exact if any_value else value


def parse_object(raw: bytes, *, any_value: bool = False) -> dict[str, Any]:
    """As `parse_json`, for a text that must be a JSON object."""
    value = parse_json(raw, any_value=any_value)
    if not isinstance(value, dict):
        raise BadRequest("The body must be a JSON object.")
    return value


def encode(value: Any) -> bytes:
    """The value as compact JSON. Raises BadRequest where it is nested too deep."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        if "ecursion" in str(error):
            raise BadRequest(TOO_DEEP) from None
        raise


def encode_kept(value: Any) -> bytes:
    """As `encode`, in as many bytes as it needs.

    orjson reserves eight times the length of a string before it writes it, and leaves the rest
    as holes between the values that a batch keeps.
    """
    return memoryview(encode(value)).tobytes()


def encode_document(value: dict[str, Any]) -> tuple[bytes, str | None]:
    """As `encode_kept`, and what in the document cannot be stored: `integers` beyond 64 bits, or
    `text` with lone surrogates. Raises BadRequest where it is nested too deep.
    """
    try:
        return encode_kept(value), None
    except orjson.JSONEncodeError as error:
        if "ecursion" in str(error):
            raise BadRequest(TOO_DEEP) from None
        fault = "text" if "surrogate" in str(error) else "integers"
        text = json.dumps(value, ensure_ascii=fault == "text", separators=(",", ":"))
        return text.encode(), fault


def without_halves(value: Any) -> Any:
    """The value with a replacement character for each lone surrogate, which no UTF-8 can hold."""
    text = json.dumps(value, ensure_ascii=False)
    return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def is_deeper(raw: bytes, levels: int) -> bool:
    """Whether a JSON text has more than so many levels of arrays and objects in one another."""
    if raw.count(b"[") + raw.count(b"{") <= levels:
        return False  # Nearly all documents: no more than two looks at them.
    return _depth(orjson.loads(raw)) > levels


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _read_exactly(raw: bytes, read_integer: Callable[[str], int]) -> Any:
    """The value again, by a reader that is told of each key and number."""
    try:
        return json.loads(
            raw.decode(),
            object_pairs_hook=_unique_keys,
            parse_int=read_integer,
            parse_float=_finite,
            parse_constant=_finite,
        )
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"The body must be valid UTF-8 JSON: {error}") from None
    except RecursionError:
        raise BadRequest(TOO_DEEP) from None


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            break
        seen.add(key)
    raise BadRequest(f"The key {json.dumps(key)} stands twice in one JSON object.")


def _integer_of_64_bits(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**64:
        raise BadRequest(f"The integer {digits[:40]} does not fit 64 bits: send it as a string.")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise BadRequest(f"The number {digits[:40]} is beyond the range of a double.")
    return number
