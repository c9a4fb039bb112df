"""The revision tree of one document.

Every edit names the revision that it was made on, so a document's revisions form a tree. Two
tablets that edit the same revision offline make two branches:

    1-a ── 2-b ── 3-c            3-c  leaf, live: the winning revision
             └─── 3-x ── 4-y     4-y  leaf, deleted (a tombstone)

A *leaf* is a revision that nobody has edited yet. The *winning revision* is one of the leaves,
picked by a rule that needs no talk between peers (see `winner_key`), so every peer shows the
same one. More than one live leaf is a *conflict*.

A peer sends a revision together with its ancestry, newest first, and the tree is what all these
paths say together. *Grafting* a path adds the revisions that were missing:

    tree  2-b ── 3-c             path  4-e, 3-d, 2-b, 1-a
    gives 1-a ── 2-b ── 3-c
                   └─── 3-d ── 4-e

Grafting the same path twice changes nothing, and the order in which paths arrive does not
matter. Paths may be short: *stemming* forgets ancestors farther than `revs_limit` from every
leaf, so a tree may have several roots, and a longer path that arrives later joins them again.

Each node may carry `body`: the engine's own pointer to where the revision's body is kept, None
where only the id is known (ancestors that were never sent, or were compacted away).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import orjson

from conflict.revision import generation, winner_key

Branch = list[Any]
"""`[start, ids, parent, deleted, bodies]`: ids newest first as in `_revisions`; the full revision
id of the node that the oldest one hangs on, or None; positions in `ids` that are deleted; pairs
of position and body pointer."""


@dataclass(slots=True)
class Node:
    parent: str | None
    deleted: bool = False
    body: int | None = None


class Graft(Enum):
    """What grafting a path did to the tree."""

    KNOWN = "known"
    """The revision was there already, as a leaf or an inner revision."""
    EXTENDED = "extended"
    """It was made on a leaf, or on what was made on one: that is an inner revision now."""
    BRANCHED = "branched"
    """It starts a branch of its own (or the tree)."""


class RevisionTree:
    """A mutable tree; `nodes` maps each full revision id to its node."""

    __slots__ = ("nodes",)

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}

    def __contains__(self, rev: object) -> bool:
        return rev in self.nodes

    def __len__(self) -> int:
        return len(self.nodes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RevisionTree) and self.nodes == other.nodes

    __hash__ = None  # type: ignore[assignment]

    # -- growing ---------------------------------------------------------------

    def graft(
        self, start: int, ids: Sequence[str], *, deleted: bool = False, body: int | None = None
    ) -> Graft:
        """Add the revision `start`-`ids[0]` with its ancestry, newest first."""
        rev = f"{start}-{ids[0]}"
        if rev in self.nodes:
            self._join(start, ids)
            return Graft.KNOWN
        path = (f"{start - offset}-{ids[offset]}" for offset in range(1, len(ids)))
        above = next((known for known in path if known in self.nodes), None)
        extends = above is not None and self.is_leaf(above)
        self.nodes[rev] = Node(None, deleted, body)
        self._join(start, ids)
        return Graft.EXTENDED if extends else Graft.BRANCHED

    def _join(self, start: int, ids: Sequence[str]) -> None:
        """Hang the path's revisions on one another, as far as the tree did not know it."""
        nodes = self.nodes
        child = nodes[f"{start}-{ids[0]}"]
        for offset in range(1, len(ids)):
            rev = f"{start - offset}-{ids[offset]}"
            if child.parent is None:
                child.parent = rev
            elif child.parent != rev:
                return  # a revision has one parent: the ancestry that came first stands
            node = nodes.get(rev)
            if node is None:
                node = nodes[rev] = Node(None)
            child = node

    # -- reading ---------------------------------------------------------------

    def leaves(self) -> list[str]:
        """Every leaf, the winning revision first."""
        nodes = self.nodes
        inner = {node.parent for node in nodes.values()}
        leaves = [rev for rev in nodes if rev not in inner]
        if len(leaves) > 1:
            leaves.sort(key=lambda rev: winner_key(rev, nodes[rev].deleted), reverse=True)
        return leaves

    def live_leaves(self) -> list[str]:
        return [rev for rev in self.leaves() if not self.nodes[rev].deleted]

    def winner(self) -> str:
        return self.leaves()[0]

    def is_leaf(self, rev: str | None) -> bool:
        return all(node.parent != rev for node in self.nodes.values())

    def ancestry(self, rev: str) -> list[str]:
        """The revision and its ancestors, newest first."""
        path = []
        current: str | None = rev
        while current is not None:
            path.append(current)
            current = self.nodes[current].parent
        return path

    def nearest_body(self, rev: str) -> int | None:
        """The body of the nearest ancestor that has one."""
        bodies = (self.nodes[above].body for above in self.ancestry(rev)[1:])
        return next((body for body in bodies if body is not None), None)

    def leaves_below(self, rev: str) -> list[str]:
        """The leaves that descend from a revision (itself, if it is one), winner first."""
        return [leaf for leaf in self.leaves() if rev in self.ancestry(leaf)]

    def forks(self) -> set[str]:
        """Revisions that more than one was made on."""
        parents = Counter(node.parent for node in self.nodes.values())
        return {rev for rev, children in parents.items() if rev is not None and children > 1}

    # -- shrinking -------------------------------------------------------------

    def stem(self, limit: int) -> list[Node]:
        """Forget ancestors `limit` or more generations above every leaf; answers their nodes."""
        if len(self.nodes) <= limit:
            return []
        keep: set[str] = set()
        for leaf in self.leaves():
            keep.update(self.ancestry(leaf)[:limit])
        return self._forget(rev for rev in list(self.nodes) if rev not in keep)

    def purge(self, leaf: str) -> list[Node]:
        """Forget a leaf and the ancestors that no other leaf has; answers their nodes."""
        others = {rev for other in self.leaves() if other != leaf for rev in self.ancestry(other)}
        return self._forget(rev for rev in self.ancestry(leaf) if rev not in others)

    def _forget(self, revs: Iterable[str]) -> list[Node]:
        forgotten = {rev: self.nodes.pop(rev) for rev in revs}
        for node in self.nodes.values():
            if node.parent in forgotten:
                node.parent = None
        return list(forgotten.values())

    # -- storing ---------------------------------------------------------------

    def branches(self) -> Iterator[Branch]:
        """The tree as branches, the winner's first; each ends where it meets an earlier one."""
        seen: set[str] = set()
        for leaf in self.leaves():
            yield self._branch(leaf, seen)

    def _branch(self, leaf: str, seen: set[str]) -> Branch:
        ids: list[str] = []
        deleted: list[int] = []
        bodies: list[tuple[int, int]] = []
        current: str | None = leaf
        while current is not None and current not in seen:
            seen.add(current)
            node = self.nodes[current]
            if node.deleted:
                deleted.append(len(ids))
            if node.body is not None:
                bodies.append((len(ids), node.body))
            ids.append(current[current.index("-") + 1 :])
            current = node.parent
        return [generation(leaf), ids, current, deleted, bodies]

    def encode(self) -> bytes:
        return orjson.dumps(list(self.branches()))

    @staticmethod
    def encode_path(start: int, ids: Sequence[str], *, deleted: bool, body: int | None) -> bytes:
        """What `encode` gives for a tree of this one path, without making the tree."""
        bodies = [] if body is None else [(0, body)]
        return orjson.dumps([[start, ids, None, [0] if deleted else [], bodies]])

    @classmethod
    def decode(cls, data: bytes) -> RevisionTree:
        return cls.from_branches(orjson.loads(data))

    @classmethod
    def from_branches(cls, branches: Iterable[Branch]) -> RevisionTree:
        tree = cls()
        nodes = tree.nodes
        for start, ids, parent, deleted, bodies in branches:
            revs = [f"{start - offset}-{rev_id}" for offset, rev_id in enumerate(ids)]
            for rev, above in zip(revs, [*revs[1:], parent], strict=True):
                nodes[rev] = Node(above)
            for position in deleted:
                nodes[revs[position]].deleted = True
            for position, body in bodies:
                nodes[revs[position]].body = body
        return tree
