"""The programme's office beside a running server: it knows places, and gives and ends grants.

It works on the server's data folder with the service's own functions, as the commands do.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import orjson
from sqlalchemy import insert, select

from sync_server.access.accounts import Account
from sync_server.access.tables import gazetteer_units
from sync_server.errors import NotFound
from sync_server.intake.pipeline import CHECKPOINT, OWNER
from sync_server.parts import Parts, open_parts
from sync_server.settings import Settings
from sync_server.storage.base import AttachmentWrite, Database, Origin, RevisionWrite
from tests.serving import RunningServer

DATABASE = "rushit"
PASSWORD = "password-of-a-worker"
ORIGIN = Origin("office")
_numbers = itertools.count(1)


class Office:
    def __init__(self, server: RunningServer, parts: Parts) -> None:
        self.server = server
        self.parts = parts

    @property
    def whole(self) -> Database:
        """The programme's database, all of it, as storage has it."""
        return self.parts.store.database(DATABASE)

    # -- places ------------------------------------------------------------------

    def know(self, codes: Iterable[str]) -> None:
        """Add places to the gazetteer, with all that they lie in."""
        wanted = {code[:end] for code in codes for end in range(2, len(code) + 1, 2)}
        with self.parts.sql.begin() as connection:
            known = set(connection.execute(select(gazetteer_units.c.code)).scalars())
            rows = [
                {"code": code, "name_km": code, "name_latin": code}
                for code in sorted(wanted - known)
            ]
            if rows:
                connection.execute(insert(gazetteer_units), rows)
        self.parts.gazetteer.stamp.touch()

    # -- people ------------------------------------------------------------------

    def worker(self, *areas: str, role: str = "cew", name: str = "worker") -> str:
        """A new account with grants of these areas; answers its name."""
        made = f"{name}-{next(_numbers)}"
        self.parts.accounts.create(made, PASSWORD)
        for area in areas:
            self.parts.grants.give(made, role, DATABASE, area)
        return made

    def grant(self, account: str, *areas: str, role: str = "cew") -> None:
        """The account sees these areas from now on, and no others; those it has it keeps."""
        held = {
            grant.area: grant for grant in self.parts.grants.of(account) if grant.ends_at is None
        }
        for area in held.keys() - set(areas):
            self.parts.grants.end(held[area].number)
        for area in set(areas) - held.keys():
            self.parts.grants.give(account, role, DATABASE, area)

    def account(self, name: str) -> Account:
        record = self.parts.accounts.find(name)
        assert record is not None
        return record.account

    def sees(self, name: str, doc_id: str) -> bool:
        """Whether the document is stored in sight of the account."""
        (state,) = self.whole.states([doc_id])
        return state is not None and self._scope(name).sees(state.area)

    def visible(self, name: str) -> list[str]:
        """Ids of the documents that the account sees, deleted ones left out."""
        scope = self._scope(name)
        view = self.whole if scope.areas is None else self.whole.within(scope.areas)
        return [row.doc_id for row in view.all_docs().rows if row is not None]

    def _scope(self, name: str):  # type: ignore[no-untyped-def]
        return self.parts.scopes.of(self.account(name), DATABASE)

    # -- documents ---------------------------------------------------------------

    def write(self, doc_id: str, area: str | None = None, **fields: object) -> str:
        """Store a document, or an edit of the winning revision; answers the new revision."""
        (winner,) = self.whole.winners([doc_id])
        write = RevisionWrite(
            doc_id, winner.revisions if winner else None, orjson.dumps(fields), area=area
        )
        (result,) = self.whole.bulk_docs([write], new_edits=True, origin=ORIGIN)
        assert result.error is None and result.rev is not None, result.error
        return result.rev

    def change(self, doc_id: str, **changes: object) -> None:
        """Change members of the winning revision; nothing where somebody else was faster."""
        winner = self.whole.get(doc_id)
        write = RevisionWrite(
            doc_id,
            winner.revisions,
            orjson.dumps({**orjson.loads(winner.body), **changes}),
            attachments={
                name: AttachmentWrite(info.content_type, None, info.digest, info.revpos)
                for name, info in winner.attachments.items()
            },
        )
        self.whole.bulk_docs([write], new_edits=True, origin=ORIGIN)

    def leaves(self, account: str) -> dict[str, tuple[str, ...]]:
        """Live leaves of every document that the account sees, the winning revision first."""
        ids = self.visible(account)
        states = self.whole.states(ids)
        return {
            state.doc_id: tuple(leaf.rev for leaf in state.leaves if not leaf.deleted)
            for state in states
            if state is not None
        }

    def rest(self, seconds: float = 30.0) -> None:
        """Wait until the intake has seen all that there is."""
        deadline = time.monotonic() + seconds
        while self._seen() != self.whole.update_seq():
            assert time.monotonic() < deadline, "the intake does not come to rest"
            time.sleep(0.02)

    def _seen(self) -> str:
        try:
            return str(orjson.loads(self.whole.get_local(OWNER, CHECKPOINT).body)["seq"])
        except NotFound:
            return ""


@contextmanager
def open_office(server: RunningServer) -> Iterator[Office]:
    parts = open_parts(Settings(data_dir=server.data_dir), migrate=False)
    try:
        yield Office(server, parts)
    finally:
        parts.close()
