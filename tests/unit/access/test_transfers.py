"""What a transfer would bring to which tablets, told before it is done."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from sync_server.access import audit, granting, tablets, transfers
from sync_server.access.gazetteer import importing, sources
from sync_server.access.scope import scope_of
from sync_server.access.tablets import Received, local_owner
from sync_server.parts import Parts
from sync_server.storage.base import Database, Origin, RevisionWrite

NOBODY = Origin()
COMMUNES = ("020301", "020302", "020401")


@pytest.fixture
def base(parts: Parts, tmp_path: Path) -> Parts:
    file = tmp_path / "own.csv"
    rows = [f"{code},ក,{code}" for code in ("02", "0203", "0204", *COMMUNES)]
    file.write_text("\n".join(["code,name_km,name_latin", *rows]))
    importing.import_source(parts, sources.from_csv(file), actor=audit.CLI)
    parts.store.create("rushit")
    for name in ("sok", "dara"):
        parts.accounts.create(name, "password1")
    return parts


def save(
    base: Parts,
    area: str,
    count: int,
    *,
    deleted: bool = False,
    origin: Origin = NOBODY,
    **body: object,
) -> None:
    database = base.store.database("rushit")
    start = int(database.info().update_seq.split("-")[0])
    content = orjson.dumps(body)
    writes = [
        RevisionWrite(f"d{start + n}", None, content, deleted, area=area) for n in range(count)
    ]
    database.bulk_docs(writes, new_edits=True, origin=origin)


def give(base: Parts, account: str, area: str, role: str = "cew") -> None:
    granting.give(base, account, role, "rushit", area, actor="root")


def preview(base: Parts, area: str = "") -> transfers.Preview:
    return transfers.preview(base, "sok", "dara", "rushit", area=area)


def counts(shown: transfers.Preview) -> tuple[int, int, int, int]:
    return shown.giver.gains, shown.giver.loses, shown.taker.gains, shown.taker.loses


def visible(base: Parts, account: str) -> set[str]:
    record = base.accounts.find(account)
    assert record is not None
    now = max((grant.starts_at for grant in record.account.grants), default=0)
    now = max([now, *(grant.ends_at or 0 for grant in record.account.grants)])
    areas = scope_of(record.account, "rushit", base.gazetteer, now).areas
    database: Database = base.store.database("rushit")
    rows = (database if areas is None else database.within(areas)).all_docs().rows
    return {row.doc_id for row in rows if row is not None}


def test_documents_gained_and_lost_are_those_of_areas_that_only_one_saw(base: Parts) -> None:
    give(base, "sok", "020301")
    give(base, "sok", "020401")
    give(base, "dara", "020302")
    for area, count in (("", 1), ("02", 2), ("0203", 4), ("0204", 8)):
        save(base, area, count)
    save(base, "020301", 16)
    save(base, "020302", 32)
    save(base, "020401", 64)
    save(base, "020301", 100, deleted=True)
    before = {name: visible(base, name) for name in ("sok", "dara")}
    shown = preview(base, "020301")
    granting.transfer(base, "sok", "dara", "rushit", area="020301", actor="root")
    after = {name: visible(base, name) for name in ("sok", "dara")}
    assert counts(shown) == (
        len(after["sok"] - before["sok"]),
        len(before["sok"] - after["sok"]),
        len(after["dara"] - before["dara"]),
        len(before["dara"] - after["dara"]),
    )
    assert counts(shown) == (0, 4 + 16, 16, 0)


@pytest.mark.parametrize("area", ["", "02", "0203", "020302"])
@pytest.mark.parametrize("other", ["", "0203", "020302", "020401"])
def test_the_preview_says_what_the_transfer_then_does(base: Parts, area: str, other: str) -> None:
    give(base, "sok", area)
    give(base, "dara", other, "coordinator")
    for number, place in enumerate(("", "02", "0203", "0204", *COMMUNES)):
        save(base, place, 1 << number)
    save(base, "@sok", 1 << 8)
    save(base, "@dara", 1 << 9)
    before = {name: visible(base, name) for name in ("sok", "dara")}
    shown = preview(base)
    granting.transfer(base, "sok", "dara", "rushit", actor="root")
    after = {name: visible(base, name) for name in ("sok", "dara")}
    assert counts(shown) == tuple(
        len(more[name] - less[name])
        for name in ("sok", "dara")
        for more, less in ((after, before), (before, after))
    )


def test_a_preview_changes_nothing_and_raises_as_the_transfer_would(base: Parts) -> None:
    give(base, "sok", "020301")
    with base.sql.begin() as connection:
        entries = audit.entries(connection)
    grants = base.grants.find()
    preview(base)
    with base.sql.begin() as connection:
        assert audit.entries(connection) == entries
    assert base.grants.find() == grants


def test_tablets_are_shown_with_what_came_from_them(base: Parts) -> None:
    give(base, "sok", "020301")
    for device in ("tablet-7", "tablet-8", "lost"):
        base.accounts.issue_token("sok", device)
    base.accounts.revoke_tokens("sok", "lost")
    save(base, "020301", 1, origin=Origin("sok", "tablet-7", 100), device="tablet-7", device_seq=4)
    save(base, "020301", 1, origin=Origin("sok", "tablet-7", 200), device="tablet-7", device_seq=9)
    save(base, "020301", 1, origin=Origin("sok", "tablet-7", 200), device="tablet-7", device_seq=8)
    save(base, "020302", 1, origin=Origin("sok", "tablet-8", 300), device="tablet-8", device_seq=1)
    database = base.store.database("rushit")
    database.put_local(local_owner("sok", "tablet-8"), "checkpoint", None, b"{}")
    first, second = preview(base).giver.tablets
    assert (first.device, first.checkpoint_at, first.received) == (
        "tablet-7",
        None,
        Received(200, 9),
    )
    assert (second.device, second.received) == ("tablet-8", None)
    assert second.checkpoint_at is not None
    assert preview(base).taker.tablets == []


def test_who_signs_in_without_a_token_is_shown_once_it_synced(base: Parts) -> None:
    give(base, "sok", "020301")
    save(base, "020301", 1, origin=Origin("sok", "", 100), device="other", device_seq=4)
    (tablet,) = preview(base).giver.tablets
    assert (tablet.device, tablet.received) == ("", Received(100, None))


def test_what_is_looked_through_is_bounded(base: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tablets, "LOOKED_AT", 3)
    give(base, "sok", "020301")
    base.accounts.issue_token("sok", "tablet-7")
    save(base, "020301", 1, origin=Origin("sok", "tablet-7", 100))
    save(base, "020301", 2)
    assert preview(base).giver.tablets[0].received == Received(100, None)
    save(base, "020301", 1)
    assert preview(base).giver.tablets[0].received is None
