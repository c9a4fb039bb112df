"""Rows of `document` and `body` as objects, and the JSON of attachment metadata."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from conflict.revision_tree import Branch, RevisionTree
from sync_server.storage.base import (
    NO_ATTACHMENTS,
    AttachmentInfo,
    Leaf,
    Origin,
    Revision,
    Revisions,
)

QUERY_PARAMETERS = 500
"""Ids in one query: SQLite takes many more, but each length is a statement to prepare."""

NEW = 0
"""The sequence of a document that has not been stored yet."""


class Document:
    """A row of `document` in hand; the tree is decoded when it is first needed."""

    __slots__ = (
        "_tree",
        "area",
        "encoded",
        "entered",
        "entered_at",
        "id",
        "number",
        "rev",
        "seq",
    )

    COLUMNS = "number, id, area, seq, rev, tree, entered, entered_at"

    def __init__(
        self,
        number: int,
        doc_id: str,
        area: str,
        seq: int,
        rev: str,
        encoded: bytes,
        entered: int = NEW,
        entered_at: int = 0,
    ) -> None:
        self.number = number
        self.id = doc_id
        self.area = area
        self.seq = seq
        self.rev = rev
        """The winning revision as it was stored."""
        self.encoded = encoded
        self.entered = entered
        """The sequence at which it came into its area …"""
        self.entered_at = entered_at
        """… and the time."""
        self._tree: RevisionTree | None = None

    @property
    def tree(self) -> RevisionTree:
        if self._tree is None:
            self._tree = RevisionTree.decode(self.encoded) if self.encoded else RevisionTree()
        return self._tree

    def leaves(self) -> list[Leaf]:
        """As stored: each branch begins with a leaf, the winner's first."""
        branches: list[Branch] = orjson.loads(self.encoded) if self.encoded else []
        return [Leaf(f"{start}-{ids[0]}", 0 in deleted) for start, ids, _, deleted, _ in branches]


def find(connection: sqlite3.Connection, doc_id: str) -> Document | None:
    row = connection.execute(
        f"SELECT {Document.COLUMNS} FROM document WHERE id = ?", (doc_id,)
    ).fetchone()
    return Document(*row) if row else None


def find_many(connection: sqlite3.Connection, doc_ids: Sequence[str]) -> dict[str, Document]:
    found = {}
    for chunk, marks in chunks(doc_ids):
        rows = connection.execute(
            f"SELECT {Document.COLUMNS} FROM document WHERE id IN ({marks})", chunk
        )
        for row in rows:
            found[row[1]] = Document(*row)
    return found


def chunks(values: Sequence[Any]) -> Iterator[tuple[Sequence[Any], str]]:
    """Slices that fit one query, each with its placeholders."""
    for start in range(0, len(values), QUERY_PARAMETERS):
        chunk = values[start : start + QUERY_PARAMETERS]
        yield chunk, ",".join("?" * len(chunk))


def revisions_of(tree: RevisionTree, rev: str) -> Revisions:
    path = tree.ancestry(rev)
    start = int(path[0].partition("-")[0])
    return Revisions(start, [above.partition("-")[2] for above in path])


def revision_of_branch(doc_id: str, rev: str, branch: Branch, row: Sequence[Any]) -> Revision:
    """The leaf of a branch that is whole: nothing needs to be decoded further."""
    start, ids, _, deleted, _ = branch
    return read_revision(doc_id, rev, 0 in deleted, Revisions(start, ids), row)


def read_revision(
    doc_id: str, rev: str, deleted: bool, revisions: Revisions, row: Sequence[Any]
) -> Revision:
    """`row`: content, attachments, account, device, received_at."""
    content, attachments, account, device, received_at = row
    return Revision(
        doc_id,
        rev,
        deleted,
        content,
        revisions,
        load_attachments(attachments) if attachments else NO_ATTACHMENTS,
        Origin(account, device, received_at),
    )


BODY_COLUMNS = "content, attachments, account, device, received_at"


def load_body(connection: sqlite3.Connection, number: int) -> Sequence[Any]:
    row: Sequence[Any] = connection.execute(
        f"SELECT {BODY_COLUMNS} FROM body WHERE number = ?", (number,)
    ).fetchone()
    return row


def load_bodies(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, Sequence[Any]]:
    found: dict[int, Sequence[Any]] = {}
    for chunk, marks in chunks(numbers):
        for row in connection.execute(
            f"SELECT number, {BODY_COLUMNS} FROM body WHERE number IN ({marks})", chunk
        ):
            found[row[0]] = row[1:]
    return found


def dump_attachments(attachments: Mapping[str, AttachmentInfo]) -> str | None:
    if not attachments:
        return None
    rows = {
        name: (
            info.content_type,
            info.digest,
            info.length,
            info.revpos,
            info.encoding,
            info.encoded_length,
        )
        for name, info in attachments.items()
    }
    return orjson.dumps(rows).decode()


def load_attachments(text: str) -> dict[str, AttachmentInfo]:
    return {name: AttachmentInfo(*row) for name, row in orjson.loads(text).items()}


def digests(texts: Iterable[str | None]) -> set[str]:
    """Digests named by any of these rows' attachment metadata."""
    return {info.digest for text in texts if text for info in load_attachments(text).values()}
