"""Local documents: checkpoints and the like, one namespace per owner, never replicated."""

from __future__ import annotations

import re
import sqlite3
import time

import orjson

from sync_server.errors import BadRequest, NotFound
from sync_server.storage.base import LocalDocument
from sync_server.storage.sqlite import sequences

_LOCAL_REVISION = re.compile(r"0-([0-9]{1,15})\Z")


def next_number(rev: str | None) -> int:
    """The number after the revision that was sent. Raises BadRequest."""
    if rev is None:
        return 1
    match = _LOCAL_REVISION.match(rev)
    if match is None:
        raise BadRequest("Invalid rev format: the revision of a local document is 0-N.")
    return int(match[1]) + 1


def get(connection: sqlite3.Connection, owner: str, doc_id: str) -> LocalDocument:
    row = connection.execute(
        "SELECT rev, content, updated_at FROM local WHERE owner = ? AND id = ?", (owner, doc_id)
    ).fetchone()
    if row is None:
        raise NotFound("missing")
    return LocalDocument(doc_id, f"0-{row[0]}", row[1], row[2])


def put(
    connection: sqlite3.Connection,
    owner: str,
    doc_id: str,
    number: int,
    body: bytes,
    keep: int | None,
) -> None:
    now = time.time_ns() // 1_000_000
    done = connection.execute(
        "UPDATE local SET rev = ?, content = ?, updated_at = ? WHERE owner = ? AND id = ?",
        (number, body, now, owner, doc_id),
    )
    if done.rowcount:
        return
    connection.execute(
        "INSERT INTO local (owner, id, rev, content, updated_at) VALUES (?, ?, ?, ?, ?)",
        (owner, doc_id, number, body, now),
    )
    if keep is not None:
        _forget_oldest(connection, owner, doc_id, keep)


def _forget_oldest(connection: sqlite3.Connection, owner: str, newest: str, keep: int) -> None:
    """All of an owner's but `keep`, of which `newest` is one."""
    connection.execute(
        "DELETE FROM local WHERE owner = :owner AND id IN (SELECT id FROM local"
        " WHERE owner = :owner ORDER BY id = :newest DESC, updated_at DESC LIMIT -1 OFFSET :keep)",
        {"owner": owner, "newest": newest, "keep": keep},
    )


def delete(connection: sqlite3.Connection, owner: str, doc_id: str) -> None:
    done = connection.execute("DELETE FROM local WHERE owner = ? AND id = ?", (owner, doc_id))
    if not done.rowcount:
        raise NotFound("missing")


def acknowledged(connection: sqlite3.Connection, active_since: int, epoch: str) -> int | None:
    """The lowest sequence number in a checkpoint written since then; None for no checkpoint.

    CouchDB and PouchDB call it `last_seq`, the mobile clients of Cloudant and Couchbase
    `lastSequence`.
    """
    rows = connection.execute("SELECT content FROM local WHERE updated_at >= ?", (active_since,))
    numbers = (
        sequences.told_up_to(document.get("last_seq", document.get("lastSequence")), epoch)
        for document in (orjson.loads(content) for (content,) in rows)
    )
    return min((number for number in numbers if number is not None), default=None)


def all_of(connection: sqlite3.Connection, owner: str) -> list[LocalDocument]:
    rows = connection.execute(
        "SELECT id, rev, content, updated_at FROM local WHERE owner = ? ORDER BY id", (owner,)
    ).fetchall()
    return [LocalDocument(doc_id, f"0-{rev}", content, at) for doc_id, rev, content, at in rows]
