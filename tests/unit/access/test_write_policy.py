"""Who may write what, line by line: every reason to refuse, and what stands right beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from sync_server.access.accounts import Account
from sync_server.access.grants import CEW, COORDINATOR, Grant
from sync_server.access.refusals import KEPT_EN, KEPT_KM, REASONS
from sync_server.access.write_policy import WRITES, Draft, Limits, WritePolicy, captured_at
from sync_server.storage.base import DocumentState, Leaf

NOW = 1_800_000_000_000
HOUR = 3_600_000
GRACE = 48 * HOUR
LIMITS = Limits(generation_jump=1000, grace_ms=GRACE)
COMMUNE, DISTRICT, ELSEWHERE = "020301", "0203", "030101"
TYPES = sorted(WRITES[CEW])


def said(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat()


def grant(area: str = COMMUNE, role: str = CEW, **changes: Any) -> Grant:
    return Grant(**{"role": role, "database": "rushit", "area": area, "starts_at": 0, **changes})


def stored(area: str, *revs: str) -> DocumentState:
    return DocumentState("household:1", "1", area, [Leaf(rev, False) for rev in revs or ["1-a"]])


@dataclass
class Case:
    """A household of `sok`, who works in the commune; a row of the table changes it."""

    doc_id: str = "household:1"
    type: Any = ...
    fields: dict[str, Any] = field(default_factory=dict)
    area: str = COMMUNE
    deleted: bool = False
    generation: int = 1
    stored: DocumentState | None = None
    grants: tuple[Grant, ...] = (grant(),)
    databases: tuple[str, ...] = ()
    readmitted_at: int | None = None

    def reason(self) -> str | None:
        account = Account(
            "sok", databases=frozenset(self.databases), grants=self.grants, device="tablet"
        )
        policy = WritePolicy(account, "rushit", LIMITS, NOW, self.readmitted_at)
        kind = self.doc_id.partition(":")[0] if self.type is ... else self.type
        fields = {} if self.deleted else {"type": kind}
        draft = Draft(self.doc_id, {**fields, **self.fields}, self.deleted, self.generation)
        reason = policy.refuse_name(draft)
        if reason is None and not policy.is_replicator:
            reason = policy.refuse(draft, self.area, self.stored)
        return reason.code if reason else None


ENDED = grant(ends_at=NOW - HOUR)
BEFORE, AFTER = said(NOW - 2 * HOUR), said(NOW - HOUR // 2)


@pytest.mark.parametrize(
    "expected, case",
    [
        (None, Case()),
        *((None, Case(doc_id=f"{kind}:1")) for kind in TYPES),
        # -- by name
        ("design", Case(doc_id="_design/app")),
        ("server", Case(doc_id="review:1")),
        ("server", Case(doc_id="notice:1")),
        ("server", Case(doc_id="review:1", deleted=True)),
        ("type", Case(doc_id="catalogue:1")),
        ("type", Case(doc_id="programme:1")),
        ("type", Case(doc_id="household")),
        ("type", Case(doc_id=":household")),
        ("type", Case(doc_id="7f3a")),
        ("prefix", Case(type="proposal")),
        ("prefix", Case(type=None)),
        ("prefix", Case(type=["household"])),
        ("prefix", Case(doc_id="proposal:1", type="household")),
        (None, Case(deleted=True)),
        (None, Case(deleted=True, fields={"type": "proposal"})),
        ("type", Case(deleted=True, doc_id="catalogue:1")),
        # -- what a role writes
        (None, Case(doc_id="visit:1", grants=(grant("02", COORDINATOR),))),
        (None, Case(doc_id="training:1", grants=(grant("02", COORDINATOR),))),
        ("type", Case(doc_id="household:1", grants=(grant("02", COORDINATOR),))),
        ("type", Case(doc_id="proposal:1", grants=(grant("02", COORDINATOR),))),
        ("outside", Case(area="020401", grants=(grant(), grant("02", COORDINATOR)))),
        (None, Case(doc_id="visit:1", area="020401", grants=(grant(), grant("02", COORDINATOR)))),
        ("type", Case(grants=())),
        ("type", Case(grants=(grant(database="trial"),))),
        # -- by place
        (None, Case(grants=(grant(DISTRICT),))),
        (None, Case(grants=(grant(""),))),
        ("outside", Case(area=ELSEWHERE)),
        ("outside", Case(area=DISTRICT)),
        ("outside", Case(area="")),
        ("outside", Case(area="@sok", grants=(grant(""),))),
        ("outside", Case(area="@sok")),
        ("taken", Case(area=ELSEWHERE, stored=stored(ELSEWHERE))),
        ("taken", Case(area="", stored=stored(""))),
        (None, Case(stored=stored(COMMUNE))),
        ("outside", Case(grants=(grant(starts_at=NOW + 1),))),
        # -- by time
        (None, Case(grants=(ENDED,), fields={"captured_at": BEFORE})),
        ("ended", Case(grants=(ENDED,), fields={"captured_at": AFTER})),
        ("ended", Case(grants=(ENDED,), fields={"captured_at": said(NOW - HOUR)})),
        ("ended", Case(grants=(ENDED,), fields={"captured_at": said(NOW + 900 * HOUR)})),
        ("ended", Case(grants=(ENDED,))),
        ("ended", Case(grants=(ENDED,), deleted=True)),
        ("ended", Case(grants=(ENDED,), fields={"captured_at": "yesterday"})),
        ("ended", Case(grants=(grant(ends_at=NOW),))),
        (None, Case(grants=(grant(ends_at=NOW + 1),))),
        (None, Case(grants=(grant(ends_at=NOW - GRACE + 1),), fields={"captured_at": said(0)})),
        ("late", Case(grants=(grant(ends_at=NOW - GRACE),), fields={"captured_at": said(0)})),
        ("outside", Case(grants=(ENDED,), area=ELSEWHERE, fields={"captured_at": BEFORE})),
        (None, Case(grants=(ENDED, grant()), fields={"captured_at": AFTER})),
        ("ended", Case(grants=(ENDED, grant(ELSEWHERE)), fields={"captured_at": AFTER})),
        ("ended", Case(grants=(ENDED,), stored=stored(COMMUNE), fields={"captured_at": AFTER})),
        # -- by device
        (None, Case(readmitted_at=NOW - HOUR, fields={"captured_at": AFTER})),
        ("device", Case(readmitted_at=NOW - HOUR, fields={"captured_at": BEFORE})),
        (None, Case(readmitted_at=NOW - HOUR)),
        # -- by number
        (None, Case(generation=1000)),
        ("generation", Case(generation=1001)),
        (None, Case(generation=1003, stored=stored(COMMUNE, "3-a"))),
        ("generation", Case(generation=1004, stored=stored(COMMUNE, "1-b", "3-a"))),
        (None, Case(generation=0)),
        # -- replicators
        (None, Case(databases=("rushit",), grants=(), doc_id="catalogue:1", area=ELSEWHERE)),
        (None, Case(databases=("rushit",), generation=10**9, type="proposal")),
        ("design", Case(databases=("rushit",), doc_id="_design/app")),
        ("server", Case(databases=("rushit",), doc_id="review:1")),
        ("type", Case(databases=("trial",), grants=())),
    ],
)
def test_what_an_account_may_write(expected: str | None, case: Case) -> None:
    assert case.reason() == expected


@pytest.mark.parametrize(
    "expected, author, known, is_edit",
    [
        (None, "sok", (), False),
        ("author", "bopha", (), False),
        (None, None, (), False),
        (None, 7, (), False),
        (None, "bopha", ("bopha",), True),
        (None, "bopha", (None, "bopha"), True),
        ("author", "sok", ("bopha",), True),
        ("author", "chan", ("bopha", "sok"), True),
        (None, None, ("bopha",), True),
        ("author", 7, ("bopha",), True),
        (None, "bopha", (None,), True),
        # Another first revision of a document that is there: the same fact, captured twice.
        (None, "sok", ("bopha",), False),
        ("author", "chan", ("bopha",), False),
        (None, ["x"], ({"y": 1},), False),
    ],
)
def test_an_author_signs_for_himself_and_stays(
    expected: str | None, author: Any, known: tuple[Any, ...], is_edit: bool
) -> None:
    policy = WritePolicy(Account("sok", grants=(grant(),)), "rushit", LIMITS, NOW)
    reason = policy.refuse_author(author, known, is_edit=is_edit)
    assert (reason.code if reason else None) == expected


@pytest.mark.parametrize(
    "text, expected",
    [
        (said(NOW - HOUR), NOW - HOUR),
        (said(NOW + HOUR), NOW),
        ("1970-01-01T07:00:00+07:00", 0),
        ("2027-01-15T10:00:00", NOW),
        ("9999-12-31T23:59:59-23:59", NOW),
        ("soon", NOW),
        (12, NOW),
        (None, NOW),
    ],
)
def test_a_time_of_capture_is_never_after_the_receipt(text: Any, expected: int) -> None:
    assert captured_at({"captured_at": text}, NOW) == expected
    assert captured_at({}, NOW) == NOW


@pytest.mark.parametrize("code", sorted(REASONS))
def test_every_reason_says_in_both_languages_what_to_do_and_that_nothing_is_lost(code: str) -> None:
    reason = REASONS[code]
    told = reason.as_error()
    assert (told.status, told.error) == (403, "forbidden")
    for text in (reason.text_en, reason.text_km, KEPT_EN, KEPT_KM):
        assert text in told.reason
    assert any("\u1780" <= char <= "\u17ff" for char in reason.text_km)
    assert reason.text_en.isascii()


def test_whether_a_foreign_document_is_there_shows_in_no_text() -> None:
    taken, outside = REASONS["taken"], REASONS["outside"]
    assert taken.as_error().reason == outside.as_error().reason
