"""Whatever batch an account pushes: each document of it is stored, or in quarantine as it was sent.
Refused whole are only batches that are malformed; a row of them has another error only where a
client edits (a conflict), or is an admin's.
"""

from __future__ import annotations

import base64
import itertools
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from sync_server.access.refusals import LIMITS
from sync_server.app import create_app
from sync_server.parts import Parts
from sync_server.quarantine import contents, entries
from sync_server.quarantine.entries import Entry
from sync_server.quarantine.tables import entries as table
from sync_server.settings import Settings
from sync_server.storage.base import Database
from tests.places import add_places

PASSWORD = "password-1"
NAME = "rushit"
SENDERS = ("sok", "sok", "mate", "dara", "mirror", "root")
_runs = itertools.count(1)

KINDS = (
    "household",
    "proposal",
    "visit",
    "training",
    "attendance",
    "review",
    "notice",
    "catalogue",
)
REVS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3)
ATTACHMENT = st.one_of(
    st.binary(max_size=12).map(
        lambda data: {"content_type": "text/plain", "data": base64.b64encode(data).decode()}
    ),
    st.sampled_from(
        [
            {"content_type": "text/plain", "stub": True, "digest": "md5-xMpCOKC5I4INzFCab3WEmw=="},
            {"stub": True, "revpos": 1},
            {"content_type": "x", "data": "MQ==", "digest": "md5-wrong"},
            {"content_type": "x", "data": "MQ==", "encoding": "gzip"},
        ]
    ),
)
BODY = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from([*KINDS, None, 7]),
        "author": st.sampled_from(["sok", "mate", "bopha", None, ["sok"]]),
        "village": st.sampled_from(["02030101", "02030201", "03010101", "99999999", 1]),
        "household": st.sampled_from(["household:1", "household:2", "review:1", None]),
        "captured_at": st.sampled_from(["1999-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "?"]),
        "n": st.integers(0, 3),
        "more": st.sampled_from(["x" * 400, 2**70, -(2**64), "\ud83d", {"\udc00": 1}, [[[[[1]]]]]]),
        "_attachments": st.dictionaries(st.sampled_from(["a", "b"]), ATTACHMENT, max_size=2),
        "_deleted": st.booleans(),
        "_conflicts": st.just(["1-x"]),
    },
)


FINE = {"author": "sok", "village": "02030101"}
"""What the first of the senders may write, if the type is one of theirs."""


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    kind, number = draw(st.sampled_from(KINDS)), draw(st.integers(1, 3))
    if draw(st.booleans()):
        doc_id, body = f"{kind}:{number}", {"type": kind, **FINE, "n": draw(st.integers(0, 3))}
    else:
        doc_id = draw(st.sampled_from([f"{kind}:{number}", f"_design/{kind}", "x"]))
        body = {"type": kind, **draw(BODY)}
    ids = draw(REVS)
    start = len(ids) + draw(st.sampled_from([0, 0, 0, 0, 0, 0, 0, 5000]))
    named = {"_id": doc_id, "_rev": f"{start}-{ids[0]}"}
    if draw(st.booleans()):
        named["_revisions"] = {"start": start, "ids": ids}
    if draw(st.integers(0, 99)) == 99:
        named["_rev"] = "no revision"
    return {**named, **body}


BATCH = st.tuples(
    st.sampled_from(SENDERS), st.booleans(), st.lists(documents(), min_size=1, max_size=6)
)


SMALL_LIMITS = {
    "max_document_bytes": 400,
    "max_attachment_bytes": 8,
    "max_attachments": 1,
    "max_json_depth": 4,
    "max_revisions": 2,
    "max_live_leaves": 2,
    "max_leaves": 3,
}


class Service:
    def __init__(self, folder: Path) -> None:
        self.app: Flask = create_app(Settings(data_dir=folder, **SMALL_LIMITS))
        self.parts: Parts = self.app.extensions["sync_server"]
        self.client = self.app.test_client()
        self.parts.store.create(NAME)
        add_places(self.parts.sql, folder)
        self._make_accounts()

    def _make_accounts(self) -> None:
        accounts, grants = self.parts.accounts, self.parts.grants
        for name in dict.fromkeys(SENDERS):
            roles = {"root": ["admin"], "mirror": ["replicator"]}.get(name, [])
            databases = [NAME] if name == "mirror" else []
            accounts.create(name, PASSWORD, roles=roles, databases=databases)
        grants.give("sok", "cew", NAME, "020301")
        grants.end(grants.give("mate", "cew", NAME, "0301").number)
        grants.give("dara", "coordinator", NAME, "02")

    @property
    def db(self) -> Database:
        return self.parts.store.database(NAME)

    def push(self, sender: str, batch: Sequence[Any], new_edits: bool) -> tuple[int, Any]:
        pair = base64.b64encode(f"{sender}:{PASSWORD}".encode()).decode()
        answer = self.client.post(
            f"/db/{NAME}/_bulk_docs",
            data=json.dumps({"docs": batch, "new_edits": new_edits}),
            headers={"Authorization": f"Basic {pair}", "Content-Type": "application/json"},
        )
        return answer.status_code, answer.get_json()

    def is_stored(self, doc_id: str, rev: str) -> bool:
        return self.db.revs_diff({doc_id: [rev]}) == {}

    def count(self) -> int:
        with self.parts.sql.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(table)).scalar_one())

    def is_kept(self, sender: str, document: Mapping[str, Any], new_edits: bool) -> bool:
        """In quarantine, member for member and byte for byte."""
        doc_id = document["_id"]
        with self.parts.sql.connect() as connection:
            found = entries.of_documents(connection, NAME, [doc_id])[doc_id]
        return any(
            entry.account == sender
            and entry.is_edit == new_edits
            and self._as_sent(entry) == _without_revisions(document)
            for entry in found
        )

    def reasons(self, sender: str, document: Mapping[str, Any]) -> set[str]:
        """Why this account's versions of the document were refused."""
        doc_id = document["_id"]
        with self.parts.sql.connect() as connection:
            found = entries.of_documents(connection, NAME, [doc_id])[doc_id]
        return {entry.reason for entry in found if entry.account == sender}

    def _as_sent(self, entry: Entry) -> dict[str, Any]:
        """The document with the contents of its attachments put back."""
        with self.parts.sql.connect() as connection:
            kept_as = select(table.c.document).where(table.c.number == entry.number)
            document: dict[str, Any] = json.loads(connection.execute(kept_as).scalar_one())
            for kept in contents.of_entry(connection, entry.number):
                if kept.content is not None:
                    data = contents.read(connection, kept.content)
                    described = document["_attachments"][kept.name]
                    described["data"] = base64.b64encode(data).decode()
        return _without_revisions(document)


def _without_revisions(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same revision may come with more or less of its ancestry: it is kept once."""
    return {key: value for key, value in document.items() if key != "_revisions"}


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with tempfile.TemporaryDirectory() as folder:
        made = Service(Path(folder))
        yield made
        made.parts.close()


@given(batches=st.lists(BATCH, min_size=1, max_size=4))
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_nothing_pushed_is_neither_stored_nor_in_quarantine(
    service: Service, batches: list[tuple[str, bool, list[dict[str, Any]]]]
) -> None:
    run = next(_runs)
    for sender, new_edits, batch in batches:
        ours = [_of_run(document, run) for document in batch]
        if new_edits:
            ours[::2] = map(_as_new, ours[::2])
        before = (service.db.update_seq(), service.count())
        status, answer = service.push(sender, ours, new_edits)
        if status != 201:
            assert status == 400, answer
            assert (service.db.update_seq(), service.count()) == before
        elif new_edits:
            _check_edits(service, sender, ours, answer)
        else:
            _check_revisions(service, sender, ours, answer)


def _check_edits(
    service: Service, sender: str, batch: list[dict[str, Any]], rows: list[dict[str, Any]]
) -> None:
    assert len(rows) == len(batch)
    for document, row in zip(batch, rows, strict=True):
        assert row["id"] == document["_id"]
        if row.get("error") == "forbidden":
            assert service.is_kept(sender, document, True), document
        elif "error" not in row:
            assert service.is_stored(row["id"], row["rev"])


def _check_revisions(
    service: Service, sender: str, batch: list[dict[str, Any]], rows: list[dict[str, Any]]
) -> None:
    refused = Counter((row["id"], row.get("rev")) for row in rows if row["error"] == "forbidden")
    others = {row["id"] for row in rows if row["error"] != "forbidden"}
    assert sender == "root" or not others
    named = Counter((document["_id"], document["_rev"]) for document in batch)
    for document in batch:
        name = (document["_id"], document["_rev"])
        stored = service.is_stored(*name)
        if refused[name] == named[name]:
            assert service.is_kept(sender, document, False), document
        elif document["_id"] not in others:
            assert stored or service.is_kept(sender, document, False), document
        assert sender != "root" or LIMITS.keys() >= service.reasons(sender, document)


def _of_run(document: dict[str, Any], run: int) -> dict[str, Any]:
    """Every example has documents of its own; within it they meet again."""
    renamed = {**document, "_id": f"{document['_id']}-{run}"}
    if isinstance(renamed.get("household"), str):
        renamed["household"] = f"{renamed['household']}-{run}"
    return renamed


def _as_new(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in ("_rev", "_revisions")}


def test_the_property_sees_a_document_that_is_lost(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sync_server.replication import admission

    monkeypatch.setattr(admission, "keep", lambda *_, **__: [])
    document = {"_id": "review:lost", "_rev": "1-a", "type": "review"}
    _, rows = service.push("sok", [document], False)
    with pytest.raises(AssertionError):
        _check_revisions(service, "sok", [document], rows)
