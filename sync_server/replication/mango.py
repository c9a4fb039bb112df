"""Mango selectors: JSON that says which documents are meant.

A selector is compiled once into a function of a document. Negation is pushed down to the single
conditions, as CouchDB does it: a field that is missing meets no condition, neither `$gt` nor what
`$not` makes of it, except `$exists`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sync_server.errors import BadRequest

Predicate = Callable[[Any], bool]
Path = tuple[str, ...]

MISSING: Any = object()

_FIELD_PART = re.compile(r"(?:[^.\\]|\\.)+")


def compile_selector(selector: Any, *, regular_expressions: bool = False) -> Predicate:
    """Whether a document (a dict with `_id` and `_rev`) matches. Raises BadRequest.

    `regular_expressions` allows `$regex`, which can be made to take for ever.
    """
    if type(selector) is not dict:
        raise BadRequest("Selector must be a JSON object")
    return _Compiler(regular_expressions).compile(selector, (), False)


def split_field(name: str) -> Path:
    r"""`a.b\.c` → ("a", "b.c")."""
    parts = _FIELD_PART.findall(name)
    if not parts:
        raise BadRequest(f"Invalid field name: {name!r}")
    return tuple(re.sub(r"\\(.)", r"\1", part) for part in parts)


def look_up(value: Any, path: Path) -> Any:
    """The value at a path into objects and arrays, MISSING where there is none."""
    for name in path:
        if isinstance(value, dict):
            value = value.get(name, MISSING)
        elif isinstance(value, list) and name.isascii() and name.isdigit():
            value = value[int(name)] if len(name) < 10 and int(name) < len(value) else MISSING
        else:
            return MISSING
    return value


def sort_key(value: Any) -> tuple[Any, ...]:
    """Order of all JSON values: null, false, true, numbers, strings, arrays, objects."""
    if value is None:
        return (0,)
    if isinstance(value, bool):
        return (2,) if value else (1,)
    if isinstance(value, (int, float)):
        return (3, value)
    if isinstance(value, str):
        return (4, value)
    if isinstance(value, list):
        return (5, [sort_key(item) for item in value])
    return (6, [(name, sort_key(item)) for name, item in sorted(value.items())])


class _Compiler:
    def __init__(self, regular_expressions: bool) -> None:
        self._regular_expressions = regular_expressions

    def compile(self, selector: Any, path: Path, negate: bool) -> Predicate:
        if not isinstance(selector, dict) or (not selector and path):
            return self._condition("$eq", selector, path, negate)
        parts = [self._member(key, value, path, negate) for key, value in selector.items()]
        return _any(parts) if negate else _all(parts)

    def _member(self, key: str, value: Any, path: Path, negate: bool) -> Predicate:
        if not key.startswith("$"):
            return self.compile(value, path + split_field(key), negate)
        if key == "$not":
            return self.compile(value, path, not negate)
        if key in ("$and", "$or", "$nor"):
            return self._combination(key, value, path, negate)
        return self._condition(key, value, path, negate)

    def _combination(self, key: str, value: Any, path: Path, negate: bool) -> Predicate:
        if type(value) is not list:
            raise BadRequest(f"Invalid value for {key}: it takes an array of selectors.")
        if key == "$nor":
            negate = not negate
        parts = [self.compile(each, path, negate) for each in value]
        every = (key == "$and") != negate
        return _all(parts) if every else _any(parts)

    def _condition(self, key: str, argument: Any, path: Path, negate: bool) -> Predicate:
        if key == "$exists":
            wanted = _boolean(key, argument) != negate
            return lambda document: (look_up(document, path) is not MISSING) == wanted
        test = self._test(key, argument)

        def holds(document: Any) -> bool:
            value = look_up(document, path)
            return value is not MISSING and test(value) != negate

        return holds

    def _test(self, key: str, argument: Any) -> Predicate:
        if key in ("$elemMatch", "$allMatch", "$keyMapMatch"):
            return _over_elements(key, self.compile(argument, (), False))
        if key == "$regex":
            return self._regex(argument)
        make = _TESTS.get(key)
        if make is None:
            raise BadRequest(f"Invalid operator: {key}")
        return make(argument)

    def _regex(self, argument: Any) -> Predicate:
        if not self._regular_expressions:
            raise BadRequest("$regex is for admins only: use $beginsWith, or filter afterwards.")
        try:
            pattern = re.compile(_string("$regex", argument))
        except (re.error, OverflowError) as error:
            raise BadRequest(f"Invalid value for $regex: {error}") from None
        return lambda value: isinstance(value, str) and pattern.search(value) is not None


def _all(parts: list[Predicate]) -> Predicate:
    return parts[0] if len(parts) == 1 else lambda document: all(part(document) for part in parts)


def _any(parts: list[Predicate]) -> Predicate:
    return parts[0] if len(parts) == 1 else lambda document: any(part(document) for part in parts)


def _over_elements(key: str, matches: Predicate) -> Predicate:
    if key == "$keyMapMatch":
        return lambda value: isinstance(value, dict) and any(map(matches, value))
    if key == "$elemMatch":
        return lambda value: isinstance(value, list) and any(map(matches, value))
    return lambda value: isinstance(value, list) and bool(value) and all(map(matches, value))


def _equal(argument: Any) -> Predicate:
    wanted = sort_key(argument)
    return lambda value: sort_key(value) == wanted


def _not_equal(argument: Any) -> Predicate:
    wanted = sort_key(argument)
    return lambda value: sort_key(value) != wanted


def _less(argument: Any) -> Predicate:
    bound = sort_key(argument)
    return lambda value: sort_key(value) < bound


def _at_most(argument: Any) -> Predicate:
    bound = sort_key(argument)
    return lambda value: sort_key(value) <= bound


def _greater(argument: Any) -> Predicate:
    bound = sort_key(argument)
    return lambda value: sort_key(value) > bound


def _at_least(argument: Any) -> Predicate:
    bound = sort_key(argument)
    return lambda value: sort_key(value) >= bound


def _in(argument: Any) -> Predicate:
    wanted = [sort_key(item) for item in _list("$in", argument)]

    def holds(value: Any) -> bool:
        if sort_key(value) in wanted:
            return True
        return isinstance(value, list) and any(sort_key(item) in wanted for item in value)

    return holds


def _not_in(argument: Any) -> Predicate:
    within = _in(argument)
    return lambda value: not within(value)


def _contains_all(argument: Any) -> Predicate:
    wanted = [sort_key(item) for item in _list("$all", argument)]

    def holds(value: Any) -> bool:
        if not wanted or not isinstance(value, list):
            return False
        held = [sort_key(item) for item in value]
        return all(key in held for key in wanted)

    return holds


def _size(argument: Any) -> Predicate:
    if type(argument) is not int or argument < 0:
        raise BadRequest("Invalid value for $size: it takes a length.")
    return lambda value: isinstance(value, list) and len(value) == argument


def _mod(argument: Any) -> Predicate:
    match argument:
        case [int(divisor), int(remainder)] if divisor != 0:
            return lambda value: type(value) is int and value % divisor == remainder
    raise BadRequest("Invalid value for $mod: it takes [divisor, remainder].")


_TYPES: dict[str, Predicate] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def _type(argument: Any) -> Predicate:
    test = _TYPES.get(argument) if isinstance(argument, str) else None
    if test is None:
        raise BadRequest(f"Invalid value for $type: one of {', '.join(_TYPES)}.")
    return test


def _begins_with(argument: Any) -> Predicate:
    prefix = _string("$beginsWith", argument)
    return lambda value: isinstance(value, str) and value.startswith(prefix)


_TESTS: dict[str, Callable[[Any], Predicate]] = {
    "$eq": _equal,
    "$ne": _not_equal,
    "$lt": _less,
    "$lte": _at_most,
    "$gt": _greater,
    "$gte": _at_least,
    "$in": _in,
    "$nin": _not_in,
    "$all": _contains_all,
    "$size": _size,
    "$mod": _mod,
    "$type": _type,
    "$beginsWith": _begins_with,
}


def _boolean(key: str, argument: Any) -> bool:
    if type(argument) is not bool:
        raise BadRequest(f"Invalid value for {key}: true or false.")
    return argument


def _string(key: str, argument: Any) -> str:
    if type(argument) is not str:
        raise BadRequest(f"Invalid value for {key}: it takes a string.")
    return argument


def _list(key: str, argument: Any) -> list[Any]:
    if type(argument) is not list:
        raise BadRequest(f"Invalid value for {key}: it takes an array.")
    return argument
