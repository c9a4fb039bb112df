"""Keeping what is refused: all of a request in one transaction, before anybody is answered.

The same content by the same account is kept once, however often it comes: a client that got no
answer sends it again. Another content under the same revision is another entry.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from sync_server.access.accounts import Account
from sync_server.access.refusals import Reason
from sync_server.errors import RequestTooLarge
from sync_server.quarantine import contents
from sync_server.quarantine.states import KEPT, OPEN
from sync_server.quarantine.tables import attachments, entries
from sync_server.storage.base import AttachmentWrite, RevisionWrite

SMALLEST_COST = 1024
"""Bytes that an entry counts for at least: many empty ones fill a disk, too."""

_QUERY_PARAMETERS = 500


@dataclass(frozen=True, slots=True)
class Refused:
    """A write that is refused, as it was sent."""

    write: RevisionWrite
    special: Mapping[str, Any]
    """The members that start with an underscore; contents of attachments left out."""
    is_edit: bool
    """The server was to make the revision (`new_edits=true`)."""
    reason: Reason
    told: Reason
    """What its author is told."""
    area: str

    @property
    def rev(self) -> str | None:
        return self.write.revisions.rev if self.write.revisions else None

    def document(self) -> bytes:
        """All members, those of the body as they are: it may hold what no parser gives back."""
        special, body = orjson.dumps(self.special), self.write.body
        return special if body == b"{}" else b"%b,%b" % (special[:-1], body[1:])


def keep(
    sql: Engine,
    database: str,
    sender: Account,
    refused: Sequence[Refused],
    now: int,
    *,
    most_bytes: int,
) -> list[int]:
    """Keep them, on disk when this returns; answers the numbers of entries that are new, or of
    which their author has not been told.

    `most_bytes`: what one account may have waiting. Raises RequestTooLarge above it, with nothing
    kept: the client is told so, and keeps what it has.
    """
    found = {_identity(one): one for one in refused}
    times = _counts(_identity(one) for one in refused)
    try:
        return _keep(sql, database, sender, found, times, now, most_bytes)
    except IntegrityError:  # The same came by another connection at this moment.
        return _keep(sql, database, sender, found, times, now, most_bytes)


def _keep(
    sql: Engine,
    database: str,
    sender: Account,
    refused: Mapping[str, Refused],
    times: Mapping[str, int],
    now: int,
    most_bytes: int,
) -> list[int]:
    with sql.begin() as connection:
        known = _known(connection, database, sender.name, list(refused))
        for identity, (number, _) in known.items():
            _count(connection, number, times[identity], now)
        numbers = [number for number, published in known.values() if not published]
        new = [identity for identity in refused if identity not in known]
        numbers += [
            _insert(connection, database, sender, identity, refused[identity], times, now)
            for identity in new
        ]
        if new:
            _check_room(connection, sender.name, most_bytes)
    return numbers


def _known(
    connection: Connection, database: str, account: str, identities: Sequence[str]
) -> dict[str, tuple[int, bool]]:
    known: dict[str, tuple[int, bool]] = {}
    for start in range(0, len(identities), _QUERY_PARAMETERS):
        rows = connection.execute(
            select(entries.c.identity, entries.c.number, entries.c.published)
            .where(entries.c.database == database, entries.c.account == account)
            .where(entries.c.identity.in_(identities[start : start + _QUERY_PARAMETERS]))
        )
        known.update((identity, (number, published)) for identity, number, published in rows)
    return known


def _count(connection: Connection, number: int, times: int, now: int) -> None:
    connection.execute(
        update(entries)
        .where(entries.c.number == number)
        .values(times=entries.c.times + times, last_received_at=now)
    )


def _insert(
    connection: Connection,
    database: str,
    sender: Account,
    identity: str,
    refused: Refused,
    times: Mapping[str, int],
    now: int,
) -> int:
    write, document = refused.write, refused.document()
    sizes = (len(sent.data) for sent in write.attachments.values() if sent.data is not None)
    done = connection.execute(
        insert(entries).values(
            database=database,
            account=sender.name,
            identity=identity,
            doc_id=write.doc_id,
            rev=refused.rev,
            ancestry=orjson.dumps(list(write.revisions.ids) if write.revisions else []).decode(),
            is_edit=refused.is_edit,
            deleted=write.deleted,
            document=document,
            size=max(len(document) + sum(sizes), SMALLEST_COST),
            device=sender.device,
            reason=refused.reason.code,
            told=refused.told.code,
            area=refused.area,
            received_at=now,
            last_received_at=now,
            times=times[identity],
            state=KEPT,
            version=0,
            published=False,
        )
    )
    number = int(done.inserted_primary_key[0]) if done.inserted_primary_key else 0
    for name, sent in write.attachments.items():
        _insert_attachment(connection, number, name, sent)
    return number


def _insert_attachment(
    connection: Connection, number: int, name: str, sent: AttachmentWrite
) -> None:
    content = None if sent.data is None else contents.name_of(sent.data)
    if content is not None and sent.data is not None:
        contents.save(connection, content, sent.data)
    connection.execute(
        insert(attachments).values(
            entry=number,
            name=name,
            content_type=sent.content_type,
            encoding=sent.encoding,
            digest=sent.digest,
            length=None if sent.data is None else len(sent.data),
            content=content,
        )
    )


def _check_room(connection: Connection, account: str, most_bytes: int) -> None:
    waiting = connection.execute(
        select(func.sum(entries.c.size)).where(
            entries.c.account == account, entries.c.state.in_(OPEN)
        )
    ).scalar_one()
    if waiting > most_bytes:
        raise RequestTooLarge(
            "Too much of what this account sent waits for an administrator: tell one, and sync "
            "again once it is settled. / ឯកសារច្រើនពេកកំពុងរង់ចាំអ្នកគ្រប់គ្រង៖ សូមប្រាប់គាត់ "
            "រួចធ្វើសមកាលកម្មម្តងទៀត។"
        )


def _identity(refused: Refused) -> str:
    """SHA-256 of what the client means: its own book-keeping, as `_revisions`, left out."""
    write = refused.write
    files = {
        name: (
            sent.content_type,
            sent.digest,
            None if sent.data is None else contents.name_of(sent.data),
        )
        for name, sent in write.attachments.items()
    }
    meant = [write.doc_id, refused.rev, refused.is_edit, write.deleted, files]
    body = json.dumps(json.loads(write.body), sort_keys=True).encode()
    return hashlib.sha256(orjson.dumps(meant, option=orjson.OPT_SORT_KEYS) + body).hexdigest()


def _counts(identities: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for identity in identities:
        counts[identity] = counts.get(identity, 0) + 1
    return counts
