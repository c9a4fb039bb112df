"""The merge base: the last state that all leaves of a conflict have in common.

A revision tree has one parent per revision, so it does not show that a merge took in a losing
leaf as well:

    1-a ── 2-w ── 3-m          3-m merged 2-w and 2-l; 3-t is the tombstone that the
      └─── 2-l ── 3-t†         merge gave to 2-l, and says "merged into 3-m"
             └─── 3-x          a tablet that had not heard of the merge goes on from 2-l

Leaves 3-m and 3-x share 1-a in the tree, but 3-m knows 2-l too. Against 1-a, what 2-l did would
be counted twice; the base is 2-l. So a leaf *incorporates* its ancestors, and the ancestors of
whatever was merged into one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

History = Sequence[str]
"""A revision and its ancestors, newest first."""


def incorporated(history: History, merged: Mapping[str, Sequence[History]]) -> set[str]:
    """Revisions whose changes are in this one. `merged`: revision → histories merged into it."""
    known: set[str] = set()
    waiting: list[History] = [history]
    while waiting:
        for rev in waiting.pop():
            if rev not in known:
                known.add(rev)
                waiting += merged.get(rev, ())
    return known


def merge_bases(histories: Sequence[History], merged: Mapping[str, Sequence[History]]) -> list[str]:
    """The nearest revisions that all of these incorporate, sorted.

    None: nothing in common is known. Several: criss-cross merges, where no single state is the
    base.
    """
    every = [incorporated(history, merged) for history in histories]
    shared = set.intersection(*every)
    above: set[str] = set()
    for history in [*histories, *(lost for losts in merged.values() for lost in losts)]:
        for position, rev in enumerate(history):
            if rev in shared:
                above |= incorporated(history[position:], merged) - {rev}
    return sorted(shared - above)
