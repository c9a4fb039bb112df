"""The revisions by which a decision, or its undoing, comes into the database of documents.

A decision is written as a merge is: one new revision on the winner, and on each other leaf a
tombstone that names it. Undoing gives every branch its former leaf back, as a new revision:

    1-a ── 2-w ── 3-m ── 4-w'        3-m  the decision; 4-w' says again what 2-w said
      └─── 2-l ── 3-t† ── 4-l'       3-t† merged into 3-m; 4-l' is live again

Ids are computed from what is written, so writing the same twice changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from conflict.branches import MERGED_INTO
from conflict.canonical import canonical
from conflict.revision import generation
from sync_server.cases.records import CaseVersion
from sync_server.cases.results import Result
from sync_server.errors import Conflict
from sync_server.storage.base import Revision, Revisions

Source = tuple[str, str, str]
"""A revision that has an attachment, its content type and its digest."""


@dataclass(frozen=True, slots=True)
class NewRevision:
    """`history`: the revision, then its ancestors."""

    history: Sequence[str]
    body: bytes
    deleted: bool = False
    attachments: Mapping[str, Source] = field(default_factory=dict)

    @property
    def rev(self) -> str:
        return self.history[0]


def settlement(
    result: Result, leaves: Sequence[Revision], kept: Sequence[Revision]
) -> list[NewRevision]:
    """`leaves`: those that the decision saw, the winner first; `kept`: revisions whose attachments
    may be copied. Raises Conflict where an attachment is gone.
    """
    seen = sorted(leaf.rev for leaf in leaves)
    seed = ["decision", seen, sorted(result.attachments.items())]
    body = b"{}" if result.fields is None else orjson.dumps(result.fields)
    attachments = {} if result.fields is None else sources(result.attachments, kept)
    decided = _child(leaves[0], seed, body, result.fields is None, attachments)
    merged = orjson.dumps({MERGED_INTO: decided.rev})
    others = [_child(leaf, [*seed, leaf.rev], merged, True, {}) for leaf in leaves[1:]]
    return [decided, *others]


def restoration(
    former: Sequence[tuple[CaseVersion, Revision]], kept: Sequence[Revision]
) -> list[NewRevision]:
    """`former`: each leaf as it was, and what its branch ends in now; `kept`: revisions whose
    attachments may be copied. Raises Conflict where an attachment is gone.
    """
    return [
        _child(
            end,
            ["undo", version.rev],
            version.body,
            version.deleted,
            sources(version.digests(), kept),
        )
        for version, end in former
    ]


def sources(digests: Mapping[str, str], kept: Sequence[Revision]) -> dict[str, Source]:
    """Where each attachment's content can be copied from. Raises Conflict where it is gone."""
    places = {
        (name, info.digest): (revision.rev, info.content_type, info.digest)
        for revision in reversed(kept)
        for name, info in revision.attachments.items()
    }
    gone = sorted(name for name, digest in digests.items() if (name, digest) not in places)
    if gone:
        raise Conflict(
            f"The content of {', '.join(gone)} is not kept any more: choose without it.",
            gone=gone,
        )
    return {name: places[name, digest] for name, digest in digests.items()}


def _child(
    parent: Revision,
    seed: Sequence[Any],
    body: bytes,
    deleted: bool,
    attachments: Mapping[str, Source],
) -> NewRevision:
    content = canonical([*seed, parent.rev, deleted]) + body
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    rev = f"{generation(parent.rev) + 1}-{digest}"
    return NewRevision([rev, *parent.revisions.revs()], body, deleted, attachments)


def revisions_of(history: Sequence[str]) -> Revisions:
    """The protocol's form of a history."""
    return Revisions(generation(history[0]), [rev.partition("-")[2] for rev in history])
