"""What is refused is kept as it was sent, once, with everything that belongs to it."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from sync_server.access.accounts import Account
from sync_server.errors import NotFound, RequestTooLarge
from sync_server.quarantine import contents, entries
from sync_server.quarantine.keeping import SMALLEST_COST, keep
from sync_server.quarantine.tables import contents as content_table
from sync_server.storage.base import AttachmentWrite, Revisions
from tests.unit.quarantine.conftest import NAME, NOW, PLENTY, Ward

PHOTO = os.urandom(2 * contents.PIECE_BYTES + 17)


def document(ward: Ward, number: int) -> dict[str, Any]:
    with ward.parts.sql.connect() as connection:
        return entries.document(connection, number)


def test_a_document_is_kept_as_it_was_sent(ward: Ward) -> None:
    special = {
        "_rev": "2-b",
        "_revisions": {"start": 2, "ids": ["b", "a"]},
        "_attachments": {"front.jpg": {"content_type": "image/jpeg", "revpos": 2, "stub": True}},
        "_conflicts": ["2-c"],
    }
    stub = {"front.jpg": AttachmentWrite("image/jpeg", None, "md5-x", 2)}
    (entry,) = ward.keep(
        ward.refused("household:1", "2-b", "1-a", special=special, attachments=stub, village="0")
    )
    assert document(ward, entry.number) == {"_id": "household:1", **special, "village": "0"}
    assert (entry.account, entry.device, entry.rev, entry.area) == (
        "sok",
        "tablet-7",
        "2-b",
        "030101",
    )
    assert (entry.reason, entry.state, entry.received_at) == ("outside", "kept", NOW)
    with ward.parts.sql.connect() as connection:
        assert entries.ancestry(connection, entry) == Revisions(2, ["b", "a"])
        with pytest.raises(NotFound):
            contents.attachment(connection, entry.number, "front.jpg")


def test_a_content_is_kept_byte_for_byte_and_once(ward: Ward) -> None:
    files = {name: AttachmentWrite("image/jpeg", PHOTO) for name in ("a", "b")}
    files["empty"] = AttachmentWrite("text/plain", b"")
    kept = ward.keep(
        ward.refused("household:1", attachments=files),
        ward.refused("household:2", attachments=files),
    )
    with ward.parts.sql.connect() as connection:
        for entry in kept:
            for name, sent in files.items():
                found = contents.attachment(connection, entry.number, name)
                assert contents.read(connection, found.content or "") == sent.data
                assert found.length == len(sent.data or b"")
        pieces = connection.execute(select(func.count()).select_from(content_table)).scalar_one()
    assert pieces == 3 + 1
    assert all(entry.size >= 2 * len(PHOTO) for entry in kept)


def test_the_same_revision_again_is_counted_and_adds_nothing(ward: Ward) -> None:
    shorter = ward.refused("household:1", "2-b", special={"_rev": "2-b"}, x=1, y=2)
    longer = ward.refused("household:1", "2-b", "1-a", special={"_rev": "2-b"}, y=2, x=1)
    (entry,) = ward.keep(shorter, shorter)
    assert ward.entry(entry.number).times == 2
    assert ward.keep(longer, now=NOW + 5) == []
    (again,) = ward.all()
    assert (again.number, again.times, again.last_received_at) == (entry.number, 3, NOW + 5)
    assert again.received_at == NOW


@pytest.mark.parametrize(
    "changes",
    [
        {"x": 2},
        {"deleted": True},
        {"is_edit": True},
        {"attachments": {"a": AttachmentWrite("text/plain", b"1")}},
        {"attachments": {"a": AttachmentWrite("text/plain", None, "md5-1")}},
    ],
)
def test_another_content_under_the_same_revision_is_lost_neither(
    ward: Ward, changes: dict[str, Any]
) -> None:
    first = ward.refused("household:1", "1-a", **{"x": 1})
    other = ward.refused("household:1", "1-a", **{"x": 1, **changes})
    assert len(ward.keep(first, other)) == 2


def test_a_stub_and_then_the_content_are_both_kept(ward: Ward) -> None:
    stub = AttachmentWrite("text/plain", None, "md5-xMpCOKC5I4INzFCab3WEmw==")
    ward.keep(ward.refused(attachments={"a": stub}))
    ward.keep(ward.refused(attachments={"a": AttachmentWrite("text/plain", b"1", stub.digest)}))
    assert len(ward.all()) == 2


def test_accounts_are_kept_apart(ward: Ward) -> None:
    ward.keep(ward.refused(x=1), account="sok")
    ward.keep(ward.refused(x=1), account="bopha")
    assert [entry.account for entry in ward.all()] == ["sok", "bopha"]


def test_a_batch_is_kept_whole_or_not_at_all(ward: Ward) -> None:
    good, bad = ward.refused("household:1"), ward.refused("household:2")
    broken = replace(bad, write=bad.write._replace(body=b"{"))
    with pytest.raises(ValueError):
        keep(ward.parts.sql, NAME, Account("sok"), [good, broken], NOW, most_bytes=PLENTY)
    assert ward.all() == []


def test_what_one_account_may_have_waiting_is_limited_and_nothing_is_half_kept(ward: Ward) -> None:
    def send(account: str, *ids: str, most_bytes: int = 2 * SMALLEST_COST) -> None:
        refused = [ward.refused(doc_id) for doc_id in ids]
        keep(ward.parts.sql, NAME, Account(account), refused, NOW, most_bytes=most_bytes)

    send("sok", "household:1", "household:2")
    with pytest.raises(RequestTooLarge, match="administrator"):
        send("sok", "household:3", "household:4")
    assert len(ward.all()) == 2
    send("sok", "household:1")
    send("bopha", "household:3")
    ward.quarantine.discard(1, "root", NOW, "no")
    send("sok", "household:3")


def test_the_same_by_two_connections_at_once_is_one_entry(ward: Ward) -> None:
    refused = [ward.refused(f"household:{number}") for number in range(5)]

    def send(_: int) -> None:
        keep(ward.parts.sql, NAME, Account("sok"), refused, NOW, most_bytes=PLENTY)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(24)))
    assert [entry.times for entry in ward.all()] == [24] * 5


def test_the_author_is_told_in_both_languages_where_only_they_see_it(ward: Ward) -> None:
    ward.keep(ward.refused(), ward.refused("visit:1"))
    notice = ward.notice()
    assert notice is not None
    assert (notice["type"], notice["kind"], notice["document"], notice["revision"]) == (
        "notice",
        "quarantined",
        "household:1",
        "1-a",
    )
    assert notice["reason"] == "outside"
    assert "area" in notice["text_en"] and "តំបន់" in notice["text_km"]
    assert ward.notice("visit:1") is not None
    ward.keep(ward.refused(), account="bopha")
    assert ward.notice(account="bopha") is not None
    assert ward.notice() == notice


def test_telling_the_same_again_writes_nothing(ward: Ward) -> None:
    ward.keep(ward.refused(x=1))
    before = ward.db.update_seq()
    ward.keep(ward.refused(x=1))
    assert ward.db.update_seq() == before


def test_a_database_that_goes_takes_its_entries_along_and_no_others(ward: Ward) -> None:
    photo = {"a": AttachmentWrite("image/jpeg", b"photo")}
    ward.keep(ward.refused(attachments=photo))
    keep(
        ward.parts.sql,
        "trial",
        Account("sok"),
        [ward.refused(attachments={**photo, "b": AttachmentWrite("image/jpeg", b"other")})],
        NOW,
        most_bytes=PLENTY,
    )
    with ward.parts.sql.begin() as connection:
        entries.forget_database(connection, "trial")
    (entry,) = ward.all()
    with ward.parts.sql.connect() as connection:
        kept = contents.attachment(connection, entry.number, "a")
        assert contents.read(connection, kept.content or "") == b"photo"
        assert connection.execute(select(func.count()).select_from(content_table)).scalar() == 1
