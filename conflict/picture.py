"""Everything there is to say about a conflicted document: for whoever must settle it.

The same merge that the resolver makes, with what it saw and why it chose: nothing here decides
anything of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conflict.branches import Branches
from conflict.merge import Base, FieldMerge, merge
from conflict.resolution import Case, Plan, settle


@dataclass(frozen=True, slots=True)
class Picture:
    """A document whose leaves are in dispute, seen through its policies."""

    branches: Branches
    """Every live leaf with its content, the winner first, and the deletions beside them."""
    bases: Sequence[str]
    """The nearest revisions that all leaves know. None: nothing in common is known."""
    base: Base | None
    """What the leaves are merged against; None where there is no single one, or its body is
    gone."""
    fields: Sequence[FieldMerge]
    """What each leaf says of every field and attachment, who changed it, what its policy
    chooses, and why; in the order of the merged document."""
    outcome: Plan | Case
    """What the resolver makes of it."""

    @property
    def open_fields(self) -> list[FieldMerge]:
        """Those that a person must choose."""
        return [item for item in self.fields if item.chosen is None]


def picture(branches: Branches, base: Base | None, policies: Mapping[str, str]) -> Picture:
    """`branches`: disputed; `base`: the only one of its bases, if its body is kept."""
    merged = merge(base, [leaf.version for leaf in branches.live], policies)
    outcome = settle(branches, base, merged)
    return Picture(branches, branches.bases(), base, merged.items, outcome)
