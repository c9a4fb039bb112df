"""Departures: how a stock client loses a document that it may no longer see.

For each leaf of such a document its feed names a deleted revision, made on that leaf:

    1-a ── 2-b ── 3-<md5 of "departed", the id and 2-b>†

A client that pulls it shows the document no longer. It is computed whenever it is asked for and
never stored: another reader sees the document as it is. What the client had not sent yet is a
branch of its own beside the departure, stays live on the client, and arrives with its next push.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from conflict.revision import generation, winner_key
from conflict.revision_tree import RevisionTree


def departure_of(doc_id: str, leaf: str) -> str:
    """The revision by which a client loses this leaf."""
    named = f"departed\n{doc_id}\n{leaf}".encode()
    digest = hashlib.md5(named, usedforsecurity=False).hexdigest()
    return f"{generation(leaf) + 1}-{digest}"


def departures(doc_id: str, leaves: Iterable[str]) -> list[str]:
    """One for every leaf, the winning revision first."""
    revs = [departure_of(doc_id, leaf) for leaf in leaves]
    return sorted(revs, key=lambda rev: winner_key(rev, True), reverse=True)


def departed_from(doc_id: str, rev: str, tree: RevisionTree) -> str | None:
    """The revision whose departure `rev` is; None where it is none."""
    above = generation(rev) - 1
    for known in tree.nodes:
        if generation(known) == above and departure_of(doc_id, known) == rev:
            return known
    return None
