"""From a conflicted document to what must be written, or to a case for a person.

The merged revision extends the winner; every losing leaf gets a tombstone that names the merged
revision (see `branches.py`). All ids are computed from what was merged and what came out, and
nothing else, so two resolvers that race, in two processes or on two servers, write the same
revisions. Whether the base was there is not part of it: one server may have compacted it away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from conflict.branches import MERGED_INTO, Branches
from conflict.canonical import MISSING, canonical, same
from conflict.merge import Base, FieldConflict, Merge, Override, Version, merge
from conflict.merge_base import History
from conflict.revision import generation

RESOLVER = "1"
"""Changes when the same leaves would be merged differently."""
NO_BASE = "no_base"
DELETED = "_deleted"
"""Stands among the fields of a case where some deleted what others edited."""


@dataclass(frozen=True, slots=True)
class Written:
    """A revision to write, as made elsewhere (`new_edits=false`)."""

    history: Sequence[str]
    """The revision, then its ancestors."""
    body: bytes
    deleted: bool = False
    attachments: Mapping[str, str] = field(default_factory=dict)
    """Name → the leaf whose content it is."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write, in one transaction, so that one leaf is left."""

    rev: str
    """The revision that knows all leaves: a merged one, or a leaf that needs no change."""
    writes: Sequence[Written]
    overrides: Sequence[Override]


@dataclass(frozen=True, slots=True)
class Case:
    """What a person must settle, and for which set of leaves."""

    leaves: Sequence[str]
    conflicts: Sequence[FieldConflict]
    reason: str
    """`fields`: the same field was edited; `no_base`: no common state is kept; `several_bases`:
    the branches crossed; `deleted`: one deleted what another edited; `too_often`: it was merged
    again and again within the hour."""
    bases: Sequence[str] = ()
    """With `no_base`: the common revision whose content is gone, if one is known."""


def resolve(branches: Branches, base: Base | None, policies: Mapping[str, str]) -> Plan | Case:
    """`branches`: disputed; `base`: the only one of its bases, if its body is kept."""
    versions = [leaf.version for leaf in branches.live]
    return settle(branches, base, merge(base, versions, policies))


def settle(branches: Branches, base: Base | None, merged: Merge) -> Plan | Case:
    """`resolve`, of what was merged already."""
    if branches.deletions:
        if base is not None and merged.changes_nothing:
            return _give_up(branches, branches.deletions[0][0], merged)
        return _case(branches, base, [_deletion(branches), *merged.conflicts], "deleted")
    if conflicts := merged.conflicts:
        return _case(branches, base, conflicts, "fields")
    return _plan(branches, merged)


def keep_winner(branches: Branches) -> Plan:
    """For documents that only servers write: the winning revision stands as it is."""
    return _give_up(branches, branches.live[0].rev, Merge([]), branches.live[0].rev)


def _plan(branches: Branches, merged: Merge) -> Plan:
    winner = branches.live[0]
    fields, sources = merged.fields, merged.attachments
    digests = _digests(sources, branches)
    if same(fields, winner.version.fields) and digests == winner.version.attachments:
        return _give_up(branches, winner.rev, merged, winner.rev)
    body = orjson.dumps(fields)
    rev = _revision(winner.rev, [*_seed(branches), digests], body)
    made = Written([rev, *winner.history], body, attachments=sources)
    tombstones = [_tombstone(leaf.history, rev, branches) for leaf in branches.live[1:]]
    return Plan(rev, [made, *tombstones], merged.overrides)


def _give_up(branches: Branches, into: str, merged: Merge, but: str = "") -> Plan:
    """Nothing new is made: every live leaf (but that one) ends, for what `into` is already."""
    tombstones = [
        _tombstone(leaf.history, into, branches) for leaf in branches.live if leaf.rev != but
    ]
    return Plan(into, tombstones, merged.overrides)


def _case(
    branches: Branches, base: Base | None, conflicts: Sequence[FieldConflict], reason: str
) -> Case:
    bases = branches.bases()
    if reason == "fields" and base is None:
        reason = "several_bases" if len(bases) > 1 else NO_BASE
    return Case(branches.leaves, conflicts, reason, [] if base else bases)


def _deletion(branches: Branches) -> FieldConflict:
    values = {leaf.rev: MISSING for leaf in branches.live}
    return FieldConflict(DELETED, MISSING, values | {path[0]: True for path in branches.deletions})


def _digests(sources: Mapping[str, str], branches: Branches) -> dict[str, str]:
    by_rev: dict[str, Version] = {leaf.rev: leaf.version for leaf in branches.live}
    return {name: by_rev[rev].attachments[name] for name, rev in sources.items()}


def _seed(branches: Branches) -> list[Any]:
    return [RESOLVER, branches.leaves]


def _tombstone(history: History, into: str, branches: Branches) -> Written:
    body = orjson.dumps({MERGED_INTO: into})
    rev = _revision(history[0], [*_seed(branches), history[0]], body)
    return Written([rev, *history], body, deleted=True)


def _revision(parent: str, seed: Sequence[Any], body: bytes) -> str:
    md5 = hashlib.md5(canonical(list(seed)) + body, usedforsecurity=False)
    return f"{generation(parent) + 1}-{md5.hexdigest()}"
