"""An n-way merge, field by field, of all leaves at once against their base.

All leaves at once, so that the order in which they arrived cannot matter. A leaf that left a
field as it was abstains. Edits of different fields are *parallel* and merge by themselves; edits
of the same field to different values are *conflicting*, and the field's policy decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from conflict.canonical import MISSING, PLAIN, Missing, same
from conflict.clocks import Claim, believed
from conflict.policies import Change, Chosen, policy

DEFAULT_POLICY = "manual"
ATTACHMENTS = "_attachments/"
"""Before an attachment's name, where it stands among the fields."""


@dataclass(frozen=True, slots=True)
class Version:
    """One leaf's content. `attachments`: name → digest."""

    rev: str
    fields: Mapping[str, Any]
    attachments: Mapping[str, str]
    captured_at: int | None
    """Milliseconds since 1970 by the tablet's corrected clock; None where it is not said."""
    device: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class Base:
    """The state that the leaves have in common."""

    rev: str
    fields: Mapping[str, Any]
    attachments: Mapping[str, str]
    captured_at: int | None = None
    device: str = ""


class Why(Enum):
    """How a field came to its value, or why it came to none."""

    UNCHANGED = "unchanged"
    """No leaf changed it."""
    ONE = "one"
    """One leaf changed it, or several to the same value."""
    POLICY = "policy"
    """Several changed it differently, and its policy chose."""
    MANUAL = "manual"
    """Several changed it differently, and only a person can tell."""
    NO_BASE = "no_base"
    """The leaves differ, and no common state is there to tell who changed it."""


class FieldMerge(NamedTuple):
    """What every leaf says of one field, what becomes of it, and why."""

    field: str
    policy: str
    base: Any
    """MISSING where the base does not have it, or there is no base."""
    values: Mapping[str, Any]
    """By leaf; MISSING where it is not there. An attachment's value is its digest."""
    changed_by: Sequence[str]
    """Leaves whose value is not the base's."""
    chosen: Chosen | None
    """None: a person must choose."""
    why: Why
    suggested: Chosen | None = None
    """What the policy would choose where a person must."""


@dataclass(frozen=True, slots=True)
class FieldConflict:
    """A field that a person must settle. `values`: by leaf; MISSING where it is not there."""

    field: str
    base: Any
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Override:
    """A value that did not come through, whose author is told."""

    field: str
    rev: str
    value: Any
    chosen: Any


@dataclass(frozen=True, slots=True)
class Merge:
    """Every field, attachments last, in the order in which the merged document has them."""

    items: Sequence[FieldMerge]

    @property
    def fields(self) -> dict[str, Any]:
        """The merged body; what is in conflict is left out."""
        return {
            item.field: item.chosen.value
            for item in self.items
            if item.chosen is not None
            and not isinstance(item.chosen.value, Missing)
            and not item.field.startswith(ATTACHMENTS)
        }

    @property
    def attachments(self) -> dict[str, str]:
        """Name → a leaf that has the content: the winner if it does, which costs tablets least."""
        return {
            item.field.removeprefix(ATTACHMENTS): next(
                rev for rev, digest in item.values.items() if digest == item.chosen.value
            )
            for item in self.items
            if item.field.startswith(ATTACHMENTS)
            and item.chosen is not None
            and not isinstance(item.chosen.value, Missing)
        }

    @property
    def conflicts(self) -> list[FieldConflict]:
        return [
            FieldConflict(item.field, item.base, item.values)
            for item in self.items
            if item.chosen is None
        ]

    @property
    def overrides(self) -> list[Override]:
        return [
            Override(item.field, rev, item.values[rev], item.chosen.value)
            for item in self.items
            if item.chosen is not None
            for rev in sorted(item.changed_by)
            if rev not in item.chosen.taken
        ]

    @property
    def changes_nothing(self) -> bool:
        """Whether no leaf differs from the base in anything."""
        return not any(item.changed_by for item in self.items)


def merge(base: Base | None, versions: Sequence[Version], policies: Mapping[str, str]) -> Merge:
    """`versions`: the live leaves, the winner first (it gives the order of the fields)."""
    times = _times(base, versions)
    fields = [
        _merge_field(
            name,
            policies.get(name, DEFAULT_POLICY),
            base.fields.get(name, MISSING) if base else MISSING,
            {version.rev: version.fields.get(name, MISSING) for version in versions},
            times,
            base is not None,
        )
        for name in _names(base, versions)
    ]
    return Merge([*fields, *_merge_attachments(base, versions)])


def _times(base: Base | None, versions: Sequence[Version]) -> dict[str, int | None]:
    """When each leaf was captured, as far as its clock is believed."""
    claims = [Claim(version.device or version.rev, version.captured_at) for version in versions]
    if base is not None and base.device not in {version.device for version in versions}:
        claims.append(Claim(base.device, base.captured_at))
    window = believed(claims)
    return {
        version.rev: version.captured_at if window.holds(version.captured_at) else None
        for version in versions
    }


def _names(base: Base | None, versions: Sequence[Version]) -> list[str]:
    """The winner's order, then the rest by name: the same bytes whatever arrived first."""
    first = list(versions[0].fields)
    others = {name for version in versions[1:] for name in version.fields}
    others |= set(base.fields) if base else set()
    return [*first, *sorted(others - set(first))]


def _merge_field(
    name: str,
    kind: str,
    before: Any,
    values: Mapping[str, Any],
    times: Mapping[str, int | None],
    has_base: bool,
) -> FieldMerge:
    kind_of = type(before)
    # Most fields are texts and numbers that nobody has touched.
    if kind_of in PLAIN and all(type(v) is kind_of and v == before for v in values.values()):
        changed_by = []
    else:
        changed_by = [rev for rev, value in values.items() if not same(value, before)]
    if not changed_by:
        # The leaf's own writing of the value: a server that no longer has the base uses it too.
        unchanged = Chosen(next(iter(values.values())), frozenset())
        return FieldMerge(name, kind, before, values, (), unchanged, Why.UNCHANGED)
    changes = [Change(rev, values[rev], times[rev]) for rev in changed_by]
    chosen, why = _choose(kind, before, changes, len(values), has_base)
    suggested = None
    if chosen is None and kind != "counter":
        suggested = policy(kind)(before, changes)
    return FieldMerge(name, kind, before, values, changed_by, chosen, why, suggested)


def _choose(
    kind: str,
    before: Any,
    changes: Sequence[Change],
    leaves: int,
    has_base: bool,
) -> tuple[Chosen | None, Why]:
    everybody = frozenset(change.rev for change in changes)
    agreed = all(same(change.value, changes[0].value) for change in changes)
    if not has_base:
        # Two tablets that counted to the same number may have counted different things.
        if agreed and len(changes) == leaves and kind != "counter":
            return Chosen(changes[0].value, everybody), Why.ONE
        return None, Why.NO_BASE
    keeps_first = kind == "immutable" and not isinstance(before, Missing)
    if agreed and not keeps_first and (kind != "counter" or len(changes) == 1):
        return Chosen(changes[0].value, everybody), Why.ONE
    chosen = policy(kind)(before, changes)
    return chosen, Why.MANUAL if chosen is None else Why.POLICY


def _merge_attachments(base: Base | None, versions: Sequence[Version]) -> list[FieldMerge]:
    """Per name; two contents of one name are for a person to see side by side."""
    times = dict.fromkeys((version.rev for version in versions), None)
    names = {name for version in versions for name in version.attachments}
    names |= set(base.attachments) if base else set()
    return [
        _merge_field(
            ATTACHMENTS + name,
            DEFAULT_POLICY,
            base.attachments.get(name, MISSING) if base else MISSING,
            {version.rev: version.attachments.get(name, MISSING) for version in versions},
            times,
            base is not None,
        )
        for name in sorted(names)
    ]
