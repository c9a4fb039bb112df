"""What the server knows of the tablets of an account: never what they hold and have not sent.

A stock client does not say how many of its documents wait to be sent. What is known is when its
checkpoint last moved, and the newest of its documents that arrived. Tablets number what they
capture (`device_seq`), so whoever stands before the tablet can compare the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson
from sqlalchemy import Engine, select

from sync_server.access.tables import accounts, device_tokens
from sync_server.storage.base import Database, Revision

LOOKED_AT = 5_000
"""Of the documents that are looked through for what came from a tablet, the latest this many."""
_PAGE = 500


class Received(NamedTuple):
    """The newest document that came from a tablet."""

    at: int
    """Milliseconds since 1970, by the server's clock."""
    device_seq: int | None
    """The tablet's own number of it, where it gave one."""


@dataclass(frozen=True, slots=True)
class Tablet:
    """A tablet that one account signs in from."""

    device: str
    """Empty: whatever signs in with the password or PIN, and no token."""
    checkpoint_at: int | None
    """When it last moved a checkpoint of this database: a sync that had something to do."""
    received: Received | None
    """None where nothing of it is among the documents that were looked at."""


def local_owner(account: str, device: str) -> str:
    """The namespace of local documents: one per account and device."""
    return f"{account}\x1f{device}"


def tablets_of(
    sql: Engine, database: Database, account: str, received: Mapping[tuple[str, str], Received]
) -> list[Tablet]:
    """Tablets whose tokens are good, and what signs in without one if it ever synced."""
    found = []
    for device in ["", *_devices(sql, account)]:
        synced = database.local_docs(local_owner(account, device))
        came = received.get((account, device))
        if device or synced or came:
            moved = max((document.updated_at for document in synced), default=0)
            found.append(Tablet(device, moved or None, came))
    return found


def received_from(
    database: Database, areas: Sequence[str] | None
) -> dict[tuple[str, str], Received]:
    """By account and device, the newest of the latest documents of these areas (None: of all)."""
    view = database if areas is None else database.within(areas)
    newest: dict[tuple[str, str], Received] = {}
    for revision in _latest(view):
        origin = revision.origin
        sender = (origin.account, origin.device)
        came = Received(origin.received_at, _device_seq(revision))
        newest[sender] = max(newest.get(sender, came), came, key=_order)
    return newest


def _order(received: Received) -> tuple[int, int]:
    # Of what came in one push, the last that was captured.
    return received.at, -1 if received.device_seq is None else received.device_seq


def _devices(sql: Engine, account: str) -> list[str]:
    query = (
        select(device_tokens.c.device)
        .join(accounts, accounts.c.id == device_tokens.c.account_id)
        .where(accounts.c.name == account, device_tokens.c.revoked_at.is_(None))
        .order_by(device_tokens.c.device)
    )
    with sql.execution_options(read_only=True).begin() as connection:
        return list(dict.fromkeys(connection.execute(query).scalars()))


def _latest(view: Database) -> Iterator[Revision]:
    rows = view.changes(descending=True, limit=LOOKED_AT).rows
    for start in range(0, len(rows), _PAGE):
        page = [row.doc_id for row in rows[start : start + _PAGE]]
        yield from (revision for revision in view.winners(page) if revision is not None)


def _device_seq(revision: Revision) -> int | None:
    body = orjson.loads(revision.body)
    number = body.get("device_seq")
    return number if type(number) is int and body.get("device") == revision.origin.device else None
