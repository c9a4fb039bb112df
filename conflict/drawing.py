"""A revision tree drawn as text, for logs, documents and failing tests.

    1-a ─┬─ 2-b ─── 3-c*
         └─ 2-x ─┬─ 3-y
                 └─ 3-t† → 3-c

The winning revision bears a star, deleted ones a dagger; a tombstone that a merge made points to
the revision that knows what its branch did. The winner's branch comes first, and an inner
revision whose body is gone stands in parentheses if the caller knows that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import takewhile

from conflict.revision_tree import RevisionTree

HASH_DIGITS = 6
"""Of a revision's hash, shown: enough to tell apart what one document has."""
LONGEST_STRETCH = 8
"""Revisions of one branch that are all shown."""

Path = tuple[int, Iterable[str], bool]
"""The generation of a leaf, its ids newest first, and whether it is deleted."""


def tree_of(paths: Iterable[Path]) -> RevisionTree:
    """A tree from its leaves' ancestries, as they are read through the storage seam."""
    tree = RevisionTree()
    for start, ids, deleted in paths:
        tree.graft(start, list(ids), deleted=deleted)
    return tree


def draw(
    tree: RevisionTree,
    merged_into: Mapping[str, str] | None = None,
    without_body: Collection[str] = (),
) -> str:
    """`merged_into`: tombstone → the revision that it names."""
    into = merged_into or {}

    def label(rev: str) -> str:
        text = short(rev) + ("†" if tree.nodes[rev].deleted else "")
        text = f"({text})" if rev in without_body else text
        return text + (f" → {short(into[rev])}" if rev in into else "")

    return "\n".join(_lines(tree, label))


def short(rev: str) -> str:
    """A revision as drawings name it."""
    generation, _, digits = rev.partition("-")
    return f"{generation}-{digits[:HASH_DIGITS]}"


def _lines(tree: RevisionTree, label: Callable[[str], str]) -> Iterator[str]:
    below: dict[str | None, list[str]] = {}
    seen: set[str] = set()
    leaves = tree.leaves()
    for leaf in leaves:
        for rev in takewhile(lambda rev: rev not in seen, tree.ancestry(leaf)):
            seen.add(rev)
            below.setdefault(tree.nodes[rev].parent, []).append(rev)
    for root in below.get(None, ()):
        yield from _branch(root, below, lambda rev: label(rev) + "*" * (rev == leaves[0]))


def _branch(
    rev: str, below: Mapping[str | None, list[str]], label: Callable[[str], str]
) -> Iterator[str]:
    """The lines of a revision and all that descends from it, the winner's descendants first."""
    stretch = [rev]
    while len(children := below.get(stretch[-1], [])) == 1:
        stretch += children
    text = " ─── ".join(_shortened([label(one) for one in stretch]))
    if not children:
        yield text
    margin = " " * len(text)
    for child in children:
        is_first, is_last = child == children[0], child == children[-1]
        head = text + " ─┬─ " if is_first else margin + ("  └─ " if is_last else "  ├─ ")
        lines = _branch(child, below, label)
        yield head + next(lines)
        yield from (margin + ("     " if is_last else "  │  ") + line for line in lines)


def _shortened(stretch: Sequence[str]) -> Sequence[str]:
    if len(stretch) <= LONGEST_STRETCH:
        return stretch
    return [*stretch[:2], f"… {len(stretch) - 4} more …", *stretch[-2:]]
