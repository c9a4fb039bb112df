"""Query parameters, read strictly: a value that a parameter cannot have is a 400."""

from __future__ import annotations

from typing import Any

from flask import request

from sync_server.errors import BadRequest, QueryParseError
from sync_server.replication.parsing import parse_json

MAX_INTEGER = 2**53 - 1


def flag(name: str, default: bool = False) -> bool:
    """A boolean parameter: `true` or `false`."""
    value = request.args.get(name)
    if value is None:
        return default
    return as_flag(name, value)


def as_flag(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    if value not in ("true", "false"):
        raise QueryParseError(f"`{name}` must be true or false.")
    return value == "true"


def integer(name: str, minimum: int = 0) -> int | None:
    """An integer parameter of at least `minimum`; None where it was not given."""
    value = request.args.get(name)
    return None if value is None else as_integer(name, value, minimum)


def as_integer(name: str, value: object, minimum: int = 0) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 16:
        value = int(value)
    if type(value) is not int or not minimum <= value <= MAX_INTEGER:
        raise QueryParseError(f"`{name}` must be an integer of at least {minimum}.")
    return value


def json_parameter(name: str) -> Any:
    """A parameter that holds JSON; None where it was not given."""
    value = request.args.get(name)
    if value is None:
        return None
    try:
        return parse_json(value.encode())
    except (BadRequest, UnicodeEncodeError):
        raise QueryParseError(f"`{name}` must be valid JSON.") from None


def string_list(name: str, value: object) -> list[str]:
    """The value, which must be an array of strings."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadRequest(f"`{name}` must be an array of strings.")
    return value
