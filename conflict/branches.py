"""What a merge looks at: the leaves of a document, and what became of earlier ones.

Of the deleted leaves, some are deletions by a tablet, which stand against other tablets' edits;
the others are tombstones that a merge gave to the branches it took in, or that a person left in
settling a conflict. Those name the revision that knows what the branch did:

    1-a ── 2-w ── 3-m*        {"merged_into": "3-m"} is the body of 3-t
      └─── 2-l ── 3-t†
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from conflict.merge import Version
from conflict.merge_base import History, merge_bases

MERGED_INTO = "merged_into"
"""The member of a loser's tombstone that names the merged revision."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A live leaf with its ancestry, newest first."""

    history: History
    version: Version

    @property
    def rev(self) -> str:
        return self.history[0]


@dataclass(frozen=True, slots=True)
class Branches:
    """The branches of one document."""

    live: Sequence[Leaf]
    """The winner first."""
    deletions: Sequence[History] = ()
    """Deleted leaves that no merge made, in the order of the protocol."""
    merged: Mapping[str, Sequence[History]] = field(default_factory=dict)
    """Revision → histories of what was merged into it."""

    @property
    def leaves(self) -> list[str]:
        """The leaves that have a say, sorted: what a case, or a decision about it, is about."""
        return sorted([*(leaf.rev for leaf in self.live), *(path[0] for path in self.deletions)])

    @property
    def disputed(self) -> bool:
        """Whether there is anything to resolve."""
        return len(self.live) > 1 or bool(self.live and self.deletions)

    def bases(self) -> list[str]:
        """Revisions of which the only one, if its body is kept, is what to merge against."""
        histories = [leaf.history for leaf in self.live]
        return merge_bases([*histories, *self.deletions], self.merged)


def merged_into(body: bytes) -> str | None:
    """The revision that a tombstone names; None for a deletion by a tablet."""
    if MERGED_INTO.encode() not in body:
        return None
    content: Any = orjson.loads(body)
    into = content.get(MERGED_INTO) if type(content) is dict else None
    return into if type(into) is str else None
