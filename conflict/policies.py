"""What to do where leaves changed the same field to different values.

A policy is a function of the base's value and the changes, one per leaf that changed the field.
It must not depend on their order, and answers `Chosen`, or None where a person has to decide.
`MISSING` stands for a field that is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from conflict.canonical import MISSING, Missing, canonical, same
from conflict.revision import winner_key


class Change(NamedTuple):
    """A leaf's value for a field that it changed."""

    rev: str
    value: Any
    captured_at: int | None
    """Milliseconds since 1970 when the edit was made; None where its clock is not believed."""


class Chosen(NamedTuple):
    value: Any
    taken: frozenset[str]
    """Leaves whose value stands in the result; the others' authors are told."""


GREATEST = 2**53 - 1
"""No tablet counts further exactly: its numbers are JavaScript's."""

Policy = Callable[[Any, Sequence[Change]], Chosen | None]


def _all(changes: Sequence[Change]) -> frozenset[str]:
    return frozenset(change.rev for change in changes)


def manual(base: Any, changes: Sequence[Change]) -> Chosen | None:
    """Nobody but a person can tell: names, money, quantities."""
    return None


def latest(base: Any, changes: Sequence[Change]) -> Chosen | None:
    """The edit that was made last. Where clocks do not tell: as the winning revision is picked,
    which prefers the branch with more edits and favours no tablet.
    """
    last = max(changes, key=_lateness)
    taken = frozenset(change.rev for change in changes if same(change.value, last.value))
    return Chosen(last.value, taken)


def _lateness(change: Change) -> tuple[bool, int, tuple[bool, int, str]]:
    known = change.captured_at is not None
    return known, change.captured_at or 0, winner_key(change.rev, False)


def immutable(base: Any, changes: Sequence[Change]) -> Chosen | None:
    """What was first written stays."""
    return None if isinstance(base, Missing) else Chosen(base, frozenset())


def counter(base: Any, changes: Sequence[Change]) -> Chosen | None:
    """Every leaf's difference counts: two who both add one, add two."""
    start = 0 if isinstance(base, Missing) else base
    values = [start, *(change.value for change in changes)]
    if any(type(value) is not int for value in values):
        return None
    total = start + sum(change.value - start for change in changes)
    return Chosen(total, _all(changes)) if abs(total) <= GREATEST else None


def union(base: Any, changes: Sequence[Change]) -> Chosen | None:
    """A list as a set: what anybody added is in, what anybody removed is out."""
    start = [] if isinstance(base, Missing) else base
    if any(type(value) is not list for value in [start, *(change.value for change in changes)]):
        return None
    before = {canonical(item): item for item in start}
    added: dict[bytes, Any] = {}
    removed: set[bytes] = set()
    for change in changes:
        items = {canonical(item): item for item in change.value}
        removed |= before.keys() - items.keys()
        added.update({key: item for key, item in items.items() if key not in before})
    kept = [item for key, item in before.items() if key not in removed]
    return Chosen([*kept, *(added[key] for key in sorted(added))], _all(changes))


def keyed(key: str) -> Policy:
    """A list of objects, each named by its member `key`: merged object by object."""

    def merge(base: Any, changes: Sequence[Change]) -> Chosen | None:
        before = _by_key([] if isinstance(base, Missing) else base, key)
        after = [_by_key(change.value, key) for change in changes]
        if before is None or any(objects is None for objects in after):
            return None
        names = {name for objects in [before, *after] if objects for name in objects}
        merged: dict[bytes, Any] = {}
        for name in names:
            old = before.get(name, MISSING)
            new = [objects.get(name, MISSING) for objects in after if objects is not None]
            changed = {canonical(value): value for value in new if not same(value, old)}
            if len(changed) > 1:
                return None
            merged[name] = next(iter(changed.values()), old)
        order = [*before, *sorted(names - before.keys())]
        present = [merged[name] for name in order if not isinstance(merged[name], Missing)]
        return Chosen(present, _all(changes))

    return merge


def _by_key(objects: Any, key: str) -> dict[bytes, Any] | None:
    """None where it is no list of objects, each with a key of its own."""
    if type(objects) is not list:
        return None
    named = {canonical(item[key]): item for item in objects if type(item) is dict and key in item}
    return named if len(named) == len(objects) else None


POLICIES: Mapping[str, Policy] = {
    "manual": manual,
    "latest": latest,
    "immutable": immutable,
    "counter": counter,
    "union": union,
    "set": union,
}


def policy(name: str) -> Policy:
    """The policy of that name, or of `keyed:<member>`. Raises KeyError."""
    kind, _, member = name.partition(":")
    return keyed(member) if kind == "keyed" and member else POLICIES[name]
