"""A quarantine over the real engine and a real SQL database."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from sync_server.access.accounts import Account
from sync_server.access.refusals import OUTSIDE, Reason
from sync_server.parts import Parts, open_parts
from sync_server.quarantine import entries
from sync_server.quarantine.entries import Entry
from sync_server.quarantine.keeping import Refused, keep
from sync_server.quarantine.service import Quarantine
from sync_server.quarantine.telling import notice_of, publish_numbers
from sync_server.settings import Settings
from sync_server.storage.base import (
    AttachmentWrite,
    Database,
    Origin,
    Revision,
    Revisions,
    RevisionWrite,
)
from tests.places import add_places

NAME = "rushit"
NOW = 1_800_000_000_000
PLENTY = 10**9


def path(*revs: str) -> Revisions:
    """`path("2-b", "1-a")`."""
    start = int(revs[0].partition("-")[0])
    return Revisions(start, [rev.partition("-")[2] for rev in revs])


def md5(data: bytes) -> str:
    return "md5-" + b64encode(hashlib.md5(data).digest()).decode()


@dataclass
class Ward:
    """What the tests do to a quarantine."""

    parts: Parts

    @property
    def db(self) -> Database:
        return self.parts.store.database(NAME)

    @property
    def quarantine(self) -> Quarantine:
        return self.parts.quarantine(NAME)

    def store(self, doc_id: str, *revs: str, area: str = "030101", **options: Any) -> None:
        """Store one revision, as an admin's push does."""
        files = options.pop("attachments", {})
        deleted = options.pop("deleted", False)
        write = RevisionWrite(doc_id, path(*revs), orjson.dumps(options), deleted, files, area)
        (result,) = self.db.bulk_docs([write], new_edits=False, origin=Origin("root", "", NOW))
        assert result.error is None

    def refused(
        self,
        doc_id: str = "household:1",
        *revs: str,
        reason: Reason = OUTSIDE,
        area: str = "030101",
        is_edit: bool = False,
        deleted: bool = False,
        attachments: dict[str, AttachmentWrite] | None = None,
        special: dict[str, Any] | None = None,
        **body: Any,
    ) -> Refused:
        revisions = path(*revs) if revs else None if is_edit else path("1-a")
        write = RevisionWrite(doc_id, revisions, orjson.dumps(body), deleted, attachments or {})
        members = {"_id": doc_id, **(special or {})}
        return Refused(write, members, is_edit, reason, reason, area)

    def keep(self, *refused: Refused, account: str = "sok", now: int = NOW) -> list[Entry]:
        """Keep and tell; answers the entries as they are now."""
        sender = Account(account, "tablet-7")
        numbers = keep(self.parts.sql, NAME, sender, refused, now, most_bytes=PLENTY)
        publish_numbers(self.parts.sql, self.db, numbers, now)
        return [self.entry(number) for number in numbers]

    def entry(self, number: int) -> Entry:
        with self.parts.sql.connect() as connection:
            return entries.find(connection, NAME, number)

    def all(self) -> list[Entry]:
        with self.parts.sql.connect() as connection:
            return entries.page(connection, NAME, entries.Filter())

    def notice(self, doc_id: str = "household:1", account: str = "sok") -> dict[str, Any] | None:
        notice = notice_of(account, doc_id)
        (found,) = self.db.winners([notice])
        if found is None or found.deleted:
            return None
        assert self.db.state(notice).area == f"@{account}"
        said: dict[str, Any] = orjson.loads(found.body)
        return said

    def winner(self, doc_id: str = "household:1") -> Revision:
        return self.db.get(doc_id)

    def live(self, doc_id: str = "household:1") -> list[str]:
        return [leaf.rev for leaf in self.db.state(doc_id).leaves if not leaf.deleted]

    def content(self, doc_id: str, name: str) -> bytes:
        _, opened = self.db.attachment(doc_id, None, name)
        with opened as stream:
            return stream.read()


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Ward]:
    parts = open_parts(Settings(data_dir=tmp_path))
    parts.store.create(NAME)
    add_places(parts.sql, tmp_path)
    parts.accounts.create("sok", "sok-12345")
    parts.grants.give("sok", "cew", NAME, "020301")
    yield Ward(parts)
    parts.close()
