"""`sync-server conflict …`, run on a data folder of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from sync_server.cli import main
from sync_server.jobs.case_decisions import case_decisions
from sync_server.parts import open_parts
from sync_server.settings import Settings
from tests.domain.conftest import NAME, Programme, household
from tests.domain.test_cases import DOC, crash_at, decide, head, the_case, two_names


@pytest.fixture
def programme(tmp_path: Path) -> Iterator[Programme]:
    parts = open_parts(Settings(data_dir=tmp_path))
    parts.store.create(NAME)
    yield Programme(parts.store, parts.sql)
    parts.close()


def run(folder: Path, *arguments: str, status: int = 0) -> str:
    done = CliRunner().invoke(main, ["--data-dir", str(folder), "conflict", *arguments])
    assert done.exit_code == status, done.output
    return done.output


def test_the_list_names_document_fields_and_people(programme: Programme, tmp_path: Path) -> None:
    two_names(programme)
    assert run(tmp_path, "list", NAME).split("\t")[:7] == [
        "1",
        "open",
        DOC,
        "nation",
        "fields",
        "head",
        "dara,sok",
    ]
    assert run(tmp_path, "list", NAME, "--author", "chan") == ""
    assert run(tmp_path, "list", NAME, "--state", "settled") == ""
    assert "There is no" in run(tmp_path, "show", NAME, "household:none", status=1)


def test_a_conflict_is_drawn_with_its_base_its_leaves_and_what_the_policies_say(
    programme: Programme, tmp_path: Path
) -> None:
    two_names(programme, phone="+85599999999")
    lines = run(tmp_path, "show", NAME, DOC).splitlines()
    assert lines[:3] == [
        "1-a ─┬─ 2-c*",
        "     └─ 2-b",
        "case 1: open, fields, about head",
    ]
    shown = "\n".join(lines)
    assert "leaf 2-c by dara on tablet, captured 2025-06-15T10:00:00+07:00, received" in shown
    assert "base 1-a" in shown
    assert "  head (Head of household), manual: a person must choose" in shown
    assert '  phone (Phone), latest: "+85599999999"' in shown
    assert '   *2-b "+85599999999"' in shown
    assert lines[-1] == "the resolver leaves it to a person: fields"


def test_a_document_without_a_conflict_is_drawn_too(programme: Programme, tmp_path: Path) -> None:
    programme.push(DOC, "1-a", **household())
    lines = run(tmp_path, "show", NAME, DOC).splitlines()
    assert (lines[0], lines[-1]) == ("1-a*", "no conflict: nothing is to be resolved")


def test_a_conflict_is_settled_and_undone_from_the_command_line(
    programme: Programme, tmp_path: Path
) -> None:
    two_names(programme)
    stale = run(tmp_path, "resolve", NAME, "1", "--leaf", "2-b", "--delete", status=1)
    assert "refused" in stale
    run(tmp_path, "resolve", NAME, "1", "--take", "head", status=2)
    run(tmp_path, "resolve", NAME, "1", "--set", "phone=012", "--rule", "best", status=2)
    run(tmp_path, "resolve", NAME, "1", "--take", "head=2-b", "--set", 'ethnicity="Cham"')
    body = programme.body(DOC)
    assert (body["head"]["given_name_km"], body["ethnicity"]) == ("ចន្ថា", "Cham")
    assert programme.db.get(DOC).origin.account == "_cli"
    run(tmp_path, "undo", NAME, "1", "--as", "chief")
    assert len(programme.live(DOC)) == 2
    assert the_case(programme).state == "open"
    run(tmp_path, "resolve", NAME, "1", "--rule", "author:dara", "--as", "chief")
    assert programme.db.get(DOC).origin.account == "chief"


def test_the_job_writes_what_was_decided_when_nothing_else_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = open_parts(Settings(data_dir=tmp_path))
    parts.store.create(NAME)
    programme = Programme(parts.store, parts.sql)
    two_names(programme)
    with crash_at(monkeypatch, "sync_server.cases.outbox._store"):
        decide(programme, the_case(programme), take={"head": "2-b"})
    assert len(programme.live(DOC)) == 2
    case_decisions(parts)
    assert len(programme.live(DOC)) == 1
    parts.close()


def test_cases_that_a_restored_service_database_lacks_are_opened_again(
    programme: Programme, tmp_path: Path
) -> None:
    two_names(programme, "household:1")
    programme.push("household:2", "1-a", **household())
    programme.push("household:2", "2-b", "1-a", account="sok", **household(members_total=9))
    programme.push("household:2", "2-c", "1-a", account="dara", deleted=True)
    programme.intake()
    before = [line.split("\t")[2:7] for line in run(tmp_path, "list", NAME).splitlines()]
    programme.forget_cases()
    assert run(tmp_path, "rebuild", NAME) == "Looked at 2 documents with more than one leaf.\n"
    after = [line.split("\t")[2:7] for line in run(tmp_path, "list", NAME).splitlines()]
    assert (len(after), after) == (2, before)


def test_how_a_document_came_to_be_is_told_from_its_first_revision_on(
    programme: Programme, tmp_path: Path
) -> None:
    programme.push(DOC, "1-a", **household())
    late = household(phone="+85511111111", members_total=6)
    programme.push(DOC, "2-b", "1-a", account="sok", **late)
    later = household(phone="+85522222222", captured_at="2025-06-15T11:00:00+07:00")
    programme.push(DOC, "2-c", "1-a", account="dara", **later)
    programme.intake()
    merged = programme.db.get(DOC)
    path = merged.revisions.revs()
    for rev, account, name in (("4-x", "sok", "ចន្ថា"), ("4-y", "dara", "វិចិត្រ")):
        edit = {**programme.body(DOC), "head": head(name)}
        programme.push(DOC, rev, *path, account=account, **edit)
    programme.intake()
    run(tmp_path, "resolve", NAME, "1", "--take", "head=4-x", "--as", "chief", "--reason", "asked")
    programme.intake()
    text = run(tmp_path, "explain", NAME, DOC)
    assert [line.split(",")[0] for line in text.splitlines() if not line.startswith(" ")] == [
        "1-a written by sok on tablet",
        "2-c written by dara on tablet",
        f"3-{merged.rev[2:8]} merged by _server",
        "4-y written by dara on tablet",
        f"5-{programme.db.get(DOC).rev[2:8]} decided by chief",
    ]
    assert "    took in 2-b\n" in text
    assert '    phone: "+85522222222", not "+85511111111" of sok (2-b)' in text
    assert re.search(r'case 1: take \{"head":"4-x"\}; reason "asked"', text)
    programme.db.compact()
    again = run(tmp_path, "explain", NAME, DOC)
    assert "4-y written by dara on tablet, 2025-06-15 15:06:40Z, content not kept" in again
    assert "2-c not kept" in again
    assert '    phone: "+85522222222", not "+85511111111" of sok (2-b)' in again
