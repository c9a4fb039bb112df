"""From a conflicted document to what must be written, or to a case for a person.

The merged revision extends the winner; every losing leaf gets a tombstone that names the merged
revision (see `merge_base.py`). All ids are computed from what was merged and nothing else, so
two resolvers that race, in two processes or on two servers, write the same revisions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from conflict.canonical import canonical
from conflict.merge import Base, FieldConflict, Override, Version, merge
from conflict.merge_base import History, merge_bases
from conflict.revision import generation

RESOLVER = "1"
"""Changes when the same leaves would be merged differently."""
MERGED_INTO = "merged_into"
"""The member of a loser's tombstone that names the merged revision."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A live leaf with its ancestry, newest first."""

    history: History
    version: Version


@dataclass(frozen=True, slots=True)
class Tombstone:
    history: Sequence[str]
    """The tombstone's revision, then the losing leaf and its ancestors."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Plan:
    """Revisions to write in one transaction, as made elsewhere (`new_edits=false`)."""

    history: Sequence[str]
    """The merged revision, then the winner and its ancestors."""
    body: bytes
    attachments: Mapping[str, str]
    """Name → the leaf revision whose content it is."""
    tombstones: Sequence[Tombstone]
    overrides: Sequence[Override]

    @property
    def rev(self) -> str:
        return self.history[0]


@dataclass(frozen=True, slots=True)
class Case:
    """What a person must settle, and for which set of leaves."""

    leaves: Sequence[str]
    conflicts: Sequence[FieldConflict]
    reason: str
    """`fields`: the same field was edited; `no_base`: no common state is kept;
    `several_bases`: the branches crossed."""


def base_candidates(leaves: Sequence[Leaf], merged: Mapping[str, Sequence[History]]) -> list[str]:
    """Revisions of which one must be read and given to `resolve` as the base."""
    return merge_bases([leaf.history for leaf in leaves], merged)


def resolve(
    leaves: Sequence[Leaf], bases: Sequence[str], base: Base | None, policies: Mapping[str, str]
) -> Plan | Case:
    """`leaves`: the live ones, winner first; `base`: the body of the only base, if it is kept."""
    versions = [leaf.version for leaf in leaves]
    result = merge(base, versions, policies)
    if result.conflicts:
        reason = "fields" if base else "several_bases" if len(bases) > 1 else "no_base"
        return Case(sorted(version.rev for version in versions), result.conflicts, reason)
    body = orjson.dumps(result.fields)
    digests = _digests(result.attachments, versions)
    seed = [RESOLVER, sorted(version.rev for version in versions), base.rev if base else None]
    winner = leaves[0].history
    rev = _revision(winner[0], [*seed, digests], body)
    return Plan(
        history=[rev, *winner],
        body=body,
        attachments=result.attachments,
        tombstones=[_tombstone(leaf.history, rev, seed) for leaf in leaves[1:]],
        overrides=result.overrides,
    )


def _digests(sources: Mapping[str, str], versions: Sequence[Version]) -> dict[str, str]:
    by_rev = {version.rev: version for version in versions}
    return {name: by_rev[rev].attachments[name] for name, rev in sources.items()}


def _tombstone(history: History, merged: str, seed: Sequence[Any]) -> Tombstone:
    body = orjson.dumps({MERGED_INTO: merged})
    return Tombstone([_revision(history[0], [*seed, history[0]], body), *history], body)


def _revision(parent: str, seed: Sequence[Any], body: bytes) -> str:
    md5 = hashlib.md5(canonical(list(seed)) + body, usedforsecurity=False)
    return f"{generation(parent) + 1}-{md5.hexdigest()}"
