"""An n-way merge, field by field, of all leaves at once against their base.

All leaves at once, so that the order in which they arrived cannot matter. A leaf that left a
field as it was abstains. Edits of different fields are *parallel* and merge by themselves; edits
of the same field to different values are *conflicting*, and the field's policy decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conflict.canonical import MISSING, Missing, canonical, same
from conflict.policies import Change, Chosen, policy

DEFAULT_POLICY = "manual"


@dataclass(frozen=True, slots=True)
class Version:
    """One leaf's content. `attachments`: name → digest."""

    rev: str
    fields: Mapping[str, Any]
    attachments: Mapping[str, str]
    captured_at: int
    device: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class Base:
    rev: str
    fields: Mapping[str, Any]
    attachments: Mapping[str, str]


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
    fields: Mapping[str, Any]
    attachments: Mapping[str, str]
    """Name → the leaf (or base) revision that has the content."""
    conflicts: Sequence[FieldConflict]
    overrides: Sequence[Override]


def merge(base: Base | None, versions: Sequence[Version], policies: Mapping[str, str]) -> Merge:
    """`versions`: the live leaves, the winner first (it gives the order of the fields)."""
    fields: dict[str, Any] = {}
    conflicts: list[FieldConflict] = []
    overrides: list[Override] = []
    for name in _names(base, versions):
        before = base.fields.get(name, MISSING) if base else MISSING
        values = {version.rev: version.fields.get(name, MISSING) for version in versions}
        chosen = _choose(name, before, versions, base is not None, policies)
        if chosen is None:
            conflicts.append(FieldConflict(name, before, values))
            continue
        if not isinstance(chosen.value, Missing):
            fields[name] = chosen.value
        overrides += [
            Override(name, rev, value, chosen.value)
            for rev, value in sorted(values.items())
            if rev not in chosen.taken and not same(value, before)
        ]
    attachments, torn = _merge_attachments(base, versions)
    return Merge(fields, attachments, [*conflicts, *torn], overrides)


def _names(base: Base | None, versions: Sequence[Version]) -> list[str]:
    """The winner's order, then the rest by name: the same bytes whatever arrived first."""
    first = list(versions[0].fields)
    others = {name for version in versions[1:] for name in version.fields}
    others |= set(base.fields) if base else set()
    return [*first, *sorted(others - set(first))]


def _choose(
    name: str,
    before: Any,
    versions: Sequence[Version],
    has_base: bool,
    policies: Mapping[str, str],
) -> Chosen | None:
    changes = [
        Change(version.rev, value, version.captured_at, version.device)
        for version in versions
        if not same(value := version.fields.get(name, MISSING), before)
    ]
    everybody = frozenset(change.rev for change in changes)
    if not changes:
        return Chosen(before, everybody)
    distinct = {canonical(change.value) for change in changes}
    if not has_base:
        agreed = len(distinct) == 1 and len(changes) == len(versions)
        return Chosen(changes[0].value, everybody) if agreed else None
    kind = policies.get(name, DEFAULT_POLICY)
    if kind == "immutable" and not isinstance(before, Missing):
        return policy(kind)(before, changes)
    if len(distinct) == 1 and (kind != "counter" or len(changes) == 1):
        return Chosen(changes[0].value, everybody)
    return policy(kind)(before, changes)


def _merge_attachments(
    base: Base | None, versions: Sequence[Version]
) -> tuple[dict[str, str], list[FieldConflict]]:
    """Per name; two contents of one name are for a person to see side by side."""
    merged: dict[str, str] = {}
    conflicts = []
    for name in sorted({name for version in versions for name in version.attachments}):
        before = base.attachments.get(name) if base else None
        digests = {version.rev: version.attachments.get(name) for version in versions}
        changed = {digest for digest in digests.values() if digest != before}
        if len(changed) > 1 or (base is None and len(set(digests.values())) > 1):
            shown = {rev: MISSING if digest is None else digest for rev, digest in digests.items()}
            conflicts.append(
                FieldConflict(f"_attachments/{name}", MISSING if before is None else before, shown)
            )
            continue
        digest = changed.pop() if changed else before
        if digest is not None:
            merged[name] = min(rev for rev, other in digests.items() if other == digest)
    return merged, conflicts
