"""What an admin does with an entry. Every step is one SQL transaction with its line in the audit
log; storage is made to follow it, at once or, after a crash, by the sweep.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine

from sync_server.access.accounts import Accounts
from sync_server.access.areas import is_area
from sync_server.access.placing import (
    Author,
    Places,
    Sent,
    author_of,
    place,
    place_among,
    stored_of,
)
from sync_server.access.write_policy import SERVER_PREFIXES
from sync_server.errors import BadRequest, Conflict, Forbidden, NotFound
from sync_server.quarantine import adoption, contents, entries
from sync_server.quarantine.entries import Entry
from sync_server.quarantine.telling import publish
from sync_server.storage.base import Database, Revisions

NOBODY = Author("", "?")
"""Whose home no area is: so it shows where nothing says where a document belongs."""

INEXACT = (
    "This document holds a number beyond 64 bits or half a character, and cannot be stored as it "
    "was sent: return it to its author, who enters that part again."
)


@dataclass(frozen=True, slots=True)
class Quarantine:
    """The quarantine of one database.

    In every step `actor` is the admin's account, `now` in milliseconds since 1970, and `version`
    the entry's as it was on screen (None: whatever it is). All raise NotFound for an entry that is
    not there, Conflict for one that has moved on.
    """

    sql: Engine
    database: Database
    places: Places
    accounts: Accounts
    generation_jump: int

    def adopt(self, number: int, actor: str, now: int, *, version: int | None = None) -> Entry:
        """Write the document in the admin's name, on behalf of its owner.

        Raises Forbidden for what only the server writes, Conflict where nobody can tell where it
        belongs, MissingStub and BadRequest for an attachment that cannot be had.
        """
        with self.sql.connect().execution_options(read_only=True) as connection:
            entry = _find(connection, self.database.name, number, version)
            entries.check_step(entry, "adopt")
            if not entries.is_exact(connection, number):
                raise BadRequest(INEXACT)
            sent = entries.ancestry(connection, entry)
            planned = self._plan(connection, entry, sent)
            files = self._found_stubs(connection, entry, sent)
        with self.sql.begin() as connection:
            for name, (data, encoding) in files.items():
                contents.fill_stub(connection, number, name, data, encoding)
            entries.step(
                connection,
                entry,
                "adopt",
                actor,
                now,
                details={
                    "adopted": planned.adopted.rev,
                    "owner": entry.owner,
                    "area": planned.area,
                },
                plan=planned.as_json(),
                adopted_rev=planned.adopted.rev,
            )
        return self._follow(number, now)

    def reassign(
        self,
        number: int,
        actor: str,
        now: int,
        *,
        area: str | None = None,
        account: str | None = None,
        version: int | None = None,
        reason: str | None = None,
    ) -> Entry:
        """Say where the document belongs, or to whom.

        Raises BadRequest for what is no area, and for one that the document contradicts: the intake
        would move it at once to where it says that it belongs.
        """
        if area is None and account is None:
            raise BadRequest("Name an area or an account.")
        if area is not None:
            self._require_area(number, area)
        if account is not None:
            _require_account(self.accounts, account)
        given = {"assigned_area": area, "assigned_account": account}
        values = {name: value for name, value in given.items() if value is not None}
        return self._step("reassign", number, actor, now, version, reason, values)

    def send_back(
        self, number: int, actor: str, now: int, reason: str, *, version: int | None = None
    ) -> Entry:
        """The owner gets the content in a notice, with the reason. Raises BadRequest without."""
        return self._step("return", number, actor, now, version, reason)

    def discard(
        self, number: int, actor: str, now: int, reason: str, *, version: int | None = None
    ) -> Entry:
        """It is not taken, and stays on record. Raises BadRequest without a reason."""
        return self._step("discard", number, actor, now, version, reason)

    def _step(
        self,
        action: str,
        number: int,
        actor: str,
        now: int,
        version: int | None,
        reason: str | None,
        values: Mapping[str, Any] | None = None,
    ) -> Entry:
        with self.sql.begin() as connection:
            entry = _find(connection, self.database.name, number, version)
            given = values or {}
            entries.step(
                connection, entry, action, actor, now, reason=reason, details=given, **given
            )
        return self._follow(number, now)

    def _follow(self, number: int, now: int) -> Entry:
        with self.sql.connect().execution_options(read_only=True) as connection:
            entry = entries.find(connection, self.database.name, number)
        publish(self.sql, self.database, [entry], now)
        return entry

    def _require_area(self, number: int, area: str) -> None:
        if not is_area(area):
            raise BadRequest(f"{area!r} is no area: give a code of 2, 4 or 6 digits.")
        with self.sql.connect().execution_options(read_only=True) as connection:
            entry = entries.find(connection, self.database.name, number)
            sent = self._sent(connection, entry)
        stored = {**stored_of(self.database, [sent]), entry.doc_id: None}
        said = place_among(stored, self.places, [sent], NOBODY)[entry.doc_id]
        if said not in (NOBODY.home, area):
            raise BadRequest(
                f"By what it says the document belongs to {said or 'the nation'}: return it to its "
                "author, or adopt it there and correct it."
            )

    def _sent(self, connection: Connection, entry: Entry) -> Sent:
        body = entries.body(entries.document(connection, entry.number))
        return Sent(entry.doc_id, None if entry.deleted else body)

    def _plan(self, connection: Connection, entry: Entry, sent: Revisions | None) -> adoption.Plan:
        if entry.doc_id.startswith(SERVER_PREFIXES):
            raise Forbidden(
                "Only the server writes reviews and notices: discard this, or return it."
            )
        area = entry.assigned_area
        if area is None:
            document, home = self._sent(connection, entry), self._author(entry)
            area = place(self.database, self.places, [document], home)[entry.doc_id]
        if area.startswith("@"):
            raise Conflict("Nobody can tell where this belongs: reassign it to an area first.")
        return adoption.plan(self.database, entry, sent, area, self.generation_jump)

    def _author(self, entry: Entry) -> Author:
        found = self.accounts.find(entry.owner)
        if found is None:
            return Author(entry.owner, None)
        return author_of(found.account, self.database.name, entry.received_at)

    def _found_stubs(
        self, connection: Connection, entry: Entry, sent: Revisions | None
    ) -> dict[str, tuple[bytes, str | None]]:
        """Contents and encodings that stubs stand for; encoded ones are looked at, too."""
        found = {}
        for kept in contents.of_entry(connection, entry.number):
            if kept.content is None:
                found[kept.name] = adoption.find_stub(self.database, entry, sent, kept)
            elif kept.encoding is not None:
                adoption.attachment_write(kept, contents.read(connection, kept.content))
        return found


def _require_account(accounts: Accounts, name: str) -> None:
    if accounts.find(name) is None:
        raise NotFound(f"There is no account named {name}.")


def _find(connection: Connection, database: str, number: int, version: int | None) -> Entry:
    entry = entries.find(connection, database, number)
    if version not in (None, entry.version):
        raise Conflict("This entry has changed since you saw it: look at it again.")
    return entry
