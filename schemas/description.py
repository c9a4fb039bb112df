"""The table of every field's merge policy for `docs/conflicts.md`, written from the schemas.

`python -m schemas.description PAGE` (or `./scripts/document`) writes it between its markers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from marshmallow import Schema
from marshmallow.fields import Field

from schemas.registry import BOOKKEEPING, SCHEMAS, schema_for

BEGIN = "<!-- policies: written by ./scripts/document -->"
END = "<!-- /policies -->"
SERVERS_OWN = frozenset({"review", "notice"})


def policy_table() -> str:
    """Of each type that tablets write: its fields, their labels, and their policies."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    first = schema_for("household")
    assert first is not None
    yield from _table("Every document", first, BOOKKEEPING)
    for name in SCHEMAS:
        schema = schema_for(name)
        if schema is not None and name not in SERVERS_OWN:
            yield ""
            yield from _table(f"`{name}`", schema, set(schema.fields) - BOOKKEEPING)


def _table(title: str, schema: Schema, names: set[str] | frozenset[str]) -> Iterator[str]:
    yield f"**{title}**"
    yield ""
    yield "| field | label | policy |"
    yield "| --- | --- | --- |"
    for name, field in schema.fields.items():
        if name in names:
            yield f"| `{name}` | {_label(field)} | `{field.metadata.get('policy', 'manual')}` |"


def _label(field: Field[object]) -> str:
    return " · ".join(str(field.metadata[f"label_{language}"]) for language in ("en", "km"))


def described(page: str) -> str:
    """The page with the present table between its markers. Raises ValueError without markers."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"The page has no {BEGIN} and {END}.")
    return f"{before}{BEGIN}\n\n{policy_table()}\n\n{END}{after}"


def main(arguments: list[str]) -> int:
    for path in map(Path, arguments):
        path.write_text(described(path.read_text()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
