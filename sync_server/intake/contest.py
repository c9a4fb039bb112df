"""Contests that arrive: each opens a case, or is withdrawn by its deletion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from conflict.resolution import RESOLVER
from schemas.contest import LONGEST_TEXT
from sync_server.access.areas import office_of, personal
from sync_server.cases import contests, telling
from sync_server.cases.contests import Contest
from sync_server.cases.reading import every_leaf, with_a_say
from sync_server.intake import notices
from sync_server.intake.casework import version
from sync_server.intake.stage import SERVER, Arrival, Intake

CONTEST = "contest:"
REFUSED = "contest"
TEXT_EN = (
    "This contest names no notice that was sent to you, or one that does not hold any more. Open"
    " the notice and contest from there."
)
TEXT_KM = (
    "ការជំទាស់នេះមិនបានបញ្ជាក់សេចក្តីជូនដំណឹងដែលបានផ្ញើមកអ្នកទេ ឬសេចក្តីជូនដំណឹងនោះលែងមានសុពលភាព។"
    " សូមបើកសេចក្តីជូនដំណឹង រួចជំទាស់ពីទីនោះ។"
)


def take_up_contests(intake: Intake, arrivals: Sequence[Arrival]) -> None:
    """Idempotent: a contest is taken up once."""
    found = [one for one in arrivals if one.doc_id.startswith(CONTEST)]
    if not found:
        return
    with intake.sql.connect().execution_options(read_only=True) as connection:
        known = contests.known(connection, intake.database.name, [one.doc_id for one in found])
    for arrival in found:
        if arrival.winner.deleted:
            _withdraw(intake, arrival, arrival.doc_id in known)
        elif arrival.doc_id not in known:
            _take_up(intake, arrival)


def _withdraw(intake: Intake, arrival: Arrival, is_known: bool) -> None:
    if is_known:
        with intake.sql.begin() as connection:
            by = arrival.winner.origin.account
            contests.withdraw(connection, intake.database.name, arrival.doc_id, by, intake.now())
    notices.withdraw(intake, REFUSED, [arrival.doc_id])


def _take_up(intake: Intake, arrival: Arrival) -> None:
    notice = _notice(intake, arrival)
    contest = _contest(arrival, notice) if notice else None
    (state,) = intake.database.states([contest.document]) if contest else (None,)
    if contest is None or state is None:
        told = {"author": arrival.winner.origin.account, "text_en": TEXT_EN, "text_km": TEXT_KM}
        area = personal(arrival.winner.origin.account)
        notices.tell(intake, REFUSED, {arrival.doc_id: (area, told)})
        return
    every = every_leaf(intake.database, [contest.document])[contest.document]
    fields = [str(told["field"]) for told in contest.fields]
    leaves = [version(intake, leaf, None, every, fields) for leaf in with_a_say(every)]
    with intake.sql.begin() as connection:
        contests.take_up(
            connection,
            intake.database.name,
            contest,
            office_of(state.area),
            leaves,
            RESOLVER,
            intake.now(),
        )
    notices.withdraw(intake, REFUSED, [arrival.doc_id])


def _notice(intake: Intake, arrival: Arrival) -> dict[str, Any] | None:
    """The notice, if the server sent it to whoever contests it."""
    named = arrival.fields.get("notice")
    if type(named) is not str or not named.startswith("notice:"):
        return None
    (found,) = intake.database.winners([named])
    if found is None or found.deleted or found.origin.account != SERVER:
        return None
    content: dict[str, Any] = orjson.loads(found.body)
    fits = content.get("kind") == telling.KIND
    return content if fits and content.get("account") == arrival.winner.origin.account else None


def _contest(arrival: Arrival, notice: dict[str, Any]) -> Contest:
    origin = arrival.winner.origin
    return Contest(
        doc_id=arrival.doc_id,
        notice=str(arrival.fields["notice"]),
        account=origin.account,
        device=origin.device,
        text=str(arrival.fields.get("text", ""))[:LONGEST_TEXT],
        at=origin.received_at,
        document=str(notice["document"]),
        fields=[] if notice.get("deleted") else notice["fields"],
        deleted_by=notice["case"] if notice.get("deleted") else None,
    )
