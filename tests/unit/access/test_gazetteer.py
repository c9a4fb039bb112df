"""The gazetteer: imported as a whole, known to every process, named with all that is above."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import event, select

from sync_server.access import audit
from sync_server.access.gazetteer import Gazetteer, importing, sources
from sync_server.access.stamp import ChangeStamp
from sync_server.access.tables import gazetteer_units
from sync_server.errors import BadRequest, Conflict, NotFound
from sync_server.parts import Parts, open_parts
from sync_server.serving.prepare import prepare
from sync_server.settings import Settings
from sync_server.storage.base import Origin, RevisionWrite

HEADER = "code,name_km,name_latin\n"
SMALL = (
    HEADER
    + "02,បាត់ដំបង,Battambang\n0203,ថ្មគោល,Thma Koul\n020301,តាគាក់,Ta Kak\n020302,ជ្រោយ,Chrouy\n"
    + "02030101,អូរ,Ou\n02030201,អូរ,Ou\n"
)

Import = Callable[..., importing.ImportResult]


@pytest.fixture
def own(parts: Parts, tmp_path: Path) -> Import:
    def run(text: str, force: bool = False) -> importing.ImportResult:
        file = tmp_path / "own.csv"
        file.write_text(text, encoding="utf-8-sig")
        return importing.import_source(parts, sources.from_csv(file), actor=audit.CLI, force=force)

    return run


def codes(parts: Parts) -> set[str]:
    with parts.sql.begin() as connection:
        return set(connection.execute(select(gazetteer_units.c.code)).scalars())


# -- importing ---------------------------------------------------------------------


def test_the_first_start_has_a_gazetteer_and_later_ones_leave_it_alone(
    parts: Parts, own: Import
) -> None:
    prepare(parts, "a-secret-of-the-admin")
    edition = parts.gazetteer.edition()
    assert edition is not None
    assert (edition.actor, edition.edition) == (audit.SERVER, "mef-2025")
    assert parts.gazetteer.counts()[2] == 25
    own(SMALL)
    prepare(parts, "a-secret-of-the-admin")
    assert codes(parts) == {"02", "0203", "020301", "020302", "02030101", "02030201"}


def test_an_import_leaves_nothing_of_the_source_before(parts: Parts, own: Import) -> None:
    own(SMALL)
    result = own(HEADER + "03,កំពង់ចាម,Kampong Cham\n")
    assert codes(parts) == {"03"}
    assert (result.added, len(result.dropped)) == (["03"], 6)
    edition = parts.gazetteer.edition()
    assert edition is not None
    assert (edition.source, edition.edition, edition.rejected) == ("own.csv", "own", 0)


def test_an_import_that_fails_leaves_all_as_it_was(
    parts: Parts, own: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    own(SMALL)
    before = (codes(parts), parts.gazetteer.edition())
    monkeypatch.setattr(audit, "record", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        own(HEADER + "03,កំពង់ចាម,Kampong Cham\n")
    assert (codes(parts), parts.gazetteer.edition()) == before


def test_rows_that_fail_are_left_out_and_counted(parts: Parts, own: Import) -> None:
    result = own(SMALL + "020301,ពីរ,Twice\n2,គ្មាន,No zero\n")
    assert [finding.row.line for finding in result.cleaned.rejected] == [8, 9]
    edition = parts.gazetteer.edition()
    assert edition is not None and edition.rejected == 2


def test_a_source_without_any_place_is_refused(parts: Parts, own: Import) -> None:
    own(SMALL)
    with pytest.raises(BadRequest, match="Line 2: .*spreadsheet"):
        own(HEADER + "2,បាត់ដំបង,Battambang\n")
    assert "02" in codes(parts)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"code,name_km\n02,x\n", "no column name_latin"),
        (b"", "no column code"),
        ((HEADER + "02,ក,P\n").encode("utf-16"), "line 1: save it as CSV in UTF-8"),
        (HEADER.encode() + b"02,\xff,P\n", "line 2: save it as CSV in UTF-8"),
        (HEADER.encode() + b"02," + b"x" * 200_000 + b",P\n", "line 2: field larger"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "own.csv"
    file.write_bytes(content)
    with pytest.raises(BadRequest, match=reason):
        sources.from_csv(file)


def test_columns_may_stand_in_any_order_beside_others(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text('Name_Latin, code ,note,name_km\n\nP,02,"a\nb",ក\n,,,\nQ,03,x\n')
    (first, second) = sources.from_csv(file, "survey").rows
    assert (first.code, first.name_km, first.name_latin) == ("02", "ក", "P")
    assert (second.line, second.fault) == (6, "it has 3 cells where the first line has 4")


def test_an_import_that_would_drop_what_is_granted_names_it(parts: Parts, own: Import) -> None:
    own(SMALL)
    parts.accounts.create("sok", "password1")
    kept = parts.grants.give("sok", "cew", "rushit", "020302")
    parts.grants.end(parts.grants.give("sok", "cew", "rushit", "02").number)
    with pytest.raises(Conflict, match=rf"grant {kept.number} \(sok, cew of rushit\) in 020302"):
        own(HEADER + "03,កំពង់ចាម,Kampong Cham\n")
    assert "020302" in codes(parts)
    result = own(HEADER + "03,កំពង់ចាម,Kampong Cham\n", force=True)
    assert (len(result.standing), codes(parts)) == (1, {"03"})


def test_an_import_that_would_drop_where_documents_stand_names_it(
    parts: Parts, own: Import
) -> None:
    own(SMALL)
    parts.store.create("rushit")
    write = RevisionWrite("household:1", None, b"{}", area="020301")
    parts.store.database("rushit").bulk_docs([write], new_edits=True, origin=Origin())
    with pytest.raises(Conflict, match="1 documents of rushit in 020301"):
        own(SMALL.replace("020301,", "020303,"))
    own(SMALL.replace("02030101,", "02030102,"))
    assert "02030101" not in codes(parts)


def test_a_preview_changes_nothing(parts: Parts, own: Import, tmp_path: Path) -> None:
    own(SMALL)
    file = tmp_path / "next.csv"
    file.write_text(HEADER + "03,កំពង់ចាម,Kampong Cham\n")
    before = (codes(parts), parts.gazetteer.edition())
    result = importing.preview(parts, sources.from_csv(file))
    assert result.added == ["03"]
    assert (codes(parts), parts.gazetteer.edition()) == before


def test_an_import_is_in_the_audit_log(parts: Parts, own: Import) -> None:
    own(SMALL)
    with parts.sql.begin() as connection:
        (entry,) = audit.entries(connection)
    assert (entry.actor, entry.action, entry.subject) == ("_cli", "gazetteer.import", "own.csv")
    assert entry.details["places"] == 6


# -- asking ------------------------------------------------------------------------


def test_areas_within_are_the_area_and_all_down_to_communes(parts: Parts, own: Import) -> None:
    own(SMALL + "12,ភ្នំពេញ,Phnom Penh\n")
    gazetteer = parts.gazetteer
    assert list(gazetteer.areas_within("02")) == ["02", "0203", "020301", "020302"]
    assert list(gazetteer.areas_within("020301")) == ["020301"]
    assert list(gazetteer.areas_within("99")) == ["99"]
    assert list(gazetteer.areas_within(""))[0] == "" and len(gazetteer.areas_within("")) == 6
    assert gazetteer.knows("02030101") and not gazetteer.knows("02030102")


def test_an_area_must_be_known_or_the_nation(parts: Parts, own: Import) -> None:
    with pytest.raises(BadRequest, match="no gazetteer yet"):
        parts.gazetteer.require("02")
    own(SMALL)
    parts.gazetteer.require("")
    parts.gazetteer.require("0203")
    with pytest.raises(BadRequest, match="0204"):
        parts.gazetteer.require("0204")


def test_a_place_is_named_with_all_that_is_above(parts: Parts, own: Import) -> None:
    own(SMALL)
    path = parts.gazetteer.path("02030101")
    assert [place.name_latin for place in path] == ["Battambang", "Thma Koul", "Ta Kak", "Ou"]
    assert parts.gazetteer.place("020301") == ("020301", "តាគាក់", "Ta Kak")
    assert parts.gazetteer.place("").name_latin == "Cambodia"
    assert parts.gazetteer.path("") == ()
    with pytest.raises(NotFound, match="020399"):
        parts.gazetteer.place("020399")
    assert set(parts.gazetteer.paths(["0203", "0299", "02"])) == {"0203", "02"}
    below = parts.gazetteer.directly_within("0203")
    assert [place.code for place in below] == ["020301", "020302"]
    assert [place.code for place in parts.gazetteer.directly_within("")] == ["02"]


def test_many_paths_cost_one_look_at_the_database(parts: Parts, own: Import) -> None:
    own(SMALL)
    statements: list[str] = []
    event.listen(parts.sql, "before_cursor_execute", lambda *given: statements.append(given[2]))
    parts.gazetteer.paths(["02030101", "02030201", "020302"])
    assert len([one for one in statements if "SELECT" in one]) == 1


# -- staying current ---------------------------------------------------------------


def test_another_process_knows_a_new_gazetteer_at_once(
    parts: Parts, own: Import, tmp_path: Path
) -> None:
    elsewhere = open_parts(Settings(data_dir=tmp_path))
    assert not elsewhere.gazetteer.knows("02")
    own(SMALL)
    assert elsewhere.gazetteer.knows("02")
    elsewhere.close()


def test_an_import_on_another_host_is_noticed_after_a_while(
    parts: Parts, own: Import, tmp_path: Path
) -> None:
    now = [1000.0]
    there = Gazetteer(parts.sql, ChangeStamp(tmp_path / "other-host"), clock=lambda: now[0])
    assert not there.knows("02")
    own(SMALL)
    assert not there.knows("02")
    now[0] += 10.1
    assert there.knows("02")


def test_asking_costs_one_look_at_the_stamp_and_none_at_the_database(
    parts: Parts, own: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    own(SMALL)
    assert parts.gazetteer.knows("02")
    looks: list[str] = []
    real = ChangeStamp.mark
    monkeypatch.setattr(ChangeStamp, "mark", lambda stamp: looks.append("stamp") or real(stamp))
    event.listen(parts.sql, "before_cursor_execute", lambda *_: looks.append("database"))
    parts.gazetteer.knows("02")
    parts.gazetteer.areas_within("02")
    assert looks == ["stamp", "stamp"]


def test_threads_that_ask_while_it_changes_see_one_gazetteer_or_the_other(
    parts: Parts, own: Import
) -> None:
    own(SMALL)
    before = list(parts.gazetteer.areas_within(""))
    after = ["", "03", "0301", "030101"]
    seen: list[list[str]] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            seen.append(list(parts.gazetteer.areas_within("")))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    other = HEADER + "03,ក,A\n0301,ក,B\n030101,ក,C\n"
    for text in (other, SMALL, other):
        own(text)
    stop.set()
    for thread in threads:
        thread.join()
    assert list(parts.gazetteer.areas_within("")) == after
    assert all(areas in (before, after) for areas in seen)


def test_threads_that_notice_a_change_at_once_read_it_once(parts: Parts, own: Import) -> None:
    own(SMALL)
    reads: list[str] = []
    event.listen(parts.sql, "before_cursor_execute", lambda *given: reads.append(given[2]))
    ready = threading.Barrier(4)

    def ask() -> None:
        ready.wait()
        assert parts.gazetteer.knows("02")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for table in ("gazetteer_imports", "gazetteer_units"):
        assert len([one for one in reads if table in one]) == 1
