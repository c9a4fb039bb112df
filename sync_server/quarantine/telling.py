"""Telling: storage follows what the table says. Adopted revisions are written, and the authors of
entries get notices that only they see.

The table is the truth: a row carries a flag that says whether storage has it, so a crash between
the two is repaired by doing it again. There is one notice for each author and document, of what
concerns them most:

    waiting for an admin  >  the latest of: returned to them, discarded, nothing (adopted, answered)
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Engine

from sync_server.access.areas import personal
from sync_server.access.refusals import KEPT_EN, KEPT_KM, OUTSIDE, REASONS
from sync_server.errors import SyncError, Unavailable
from sync_server.intake.notices import notice_id
from sync_server.intake.stage import SERVER
from sync_server.quarantine import adoption, contents, entries
from sync_server.quarantine.entries import Entry
from sync_server.quarantine.states import ADOPTED, ANSWERED, DISCARDED, KEPT, RETURNED
from sync_server.storage.base import Database, Origin, Revision, Revisions, RevisionWrite

KIND = "quarantined"
BATCH = 100

_log = logging.getLogger(__name__)

Told = tuple[str, str]
"""An account and the id of a document that it is told about."""


def publish_all(sql: Engine, database: Database, now: int) -> int:
    """Publish what a crash left behind; answers how many entries. Times in ms since 1970."""
    count = 0
    while True:
        with sql.connect().execution_options(read_only=True) as connection:
            left = entries.unpublished(connection, database.name, BATCH)
        done = publish(sql, database, left, now)
        count += done
        if done < BATCH:
            return count


def publish_numbers(sql: Engine, database: Database, numbers: Sequence[int], now: int) -> None:
    """Publish these entries of the database."""
    for start in range(0, len(numbers), BATCH):
        some = numbers[start : start + BATCH]
        with sql.connect().execution_options(read_only=True) as connection:
            named = [entries.find(connection, database.name, number) for number in some]
        publish(sql, database, named, now)


def publish(sql: Engine, database: Database, named: Sequence[Entry], now: int) -> int:
    """Make storage say what these entries say; answers of how many it does."""
    written = [entry for entry in named if _write_adopted(sql, database, entry)]
    told = _tell(sql, database, written, now)
    with sql.begin() as connection:
        entries.mark_published(connection, told)
    return len(told)


def _write_adopted(sql: Engine, database: Database, entry: Entry) -> bool:
    if entry.state != ADOPTED:
        return True
    with sql.connect().execution_options(read_only=True) as connection:
        planned = adoption.Plan.from_json(entries.plan(connection, entry.number))
        body = orjson.dumps(entries.body(entries.document(connection, entry.number)))
        files = {
            kept.name: adoption.attachment_write(kept, contents.read(connection, kept.content))
            for kept in contents.of_entry(connection, entry.number)
            if kept.content is not None
        }
    try:
        adoption.write(database, entry, planned, body, files)
    except Unavailable:
        raise
    except SyncError as error:
        _log.error("entry %s of quarantine cannot be adopted: %s", entry.number, error.reason)
        return False
    return True


def _tell(sql: Engine, database: Database, named: Sequence[Entry], now: int) -> list[Entry]:
    """Answers entries all of whose notices are written."""
    keys = list(dict.fromkeys(key for entry in named for key in _concerned(entry)))
    ids = [notice_of(*key) for key in keys]
    # The notices are read before the table: whoever tells of a later step meanwhile changes them,
    # so that this write is refused instead of putting an older one on top.
    present = database.winners(ids)
    said = _statements(sql, database.name, keys)
    writes = [
        write
        for notice, found, key in zip(ids, present, keys, strict=True)
        if (write := _write(notice, found, key[0], said[key])) is not None
    ]
    results = database.bulk_docs(writes, new_edits=True, origin=Origin(SERVER, "", now))
    refused = {result.doc_id for result in results if result.error is not None}
    return [
        entry for entry in named if refused.isdisjoint(notice_of(*key) for key in _concerned(entry))
    ]


def notice_of(account: str, doc_id: str) -> str:
    """The id of the notice: two authors of one document are told apart."""
    return notice_id(KIND, f"{account}\n{doc_id}")


def _concerned(entry: Entry) -> set[Told]:
    return {(account, entry.doc_id) for account in (entry.account, entry.owner)}


def _statements(
    sql: Engine, database: str, keys: Iterable[Told]
) -> dict[Told, Mapping[str, Any] | None]:
    said: dict[Told, Mapping[str, Any] | None] = {}
    with sql.connect().execution_options(read_only=True) as connection:
        known = entries.of_documents(connection, database, {doc_id for _, doc_id in keys})
        for account, doc_id in keys:
            entry = _most_pressing(account, known[doc_id])
            sent = None
            if entry is not None and entry.state == RETURNED:
                sent = entries.document(connection, entry.number)
            said[account, doc_id] = None if entry is None else _statement(entry, sent)
    return said


def _most_pressing(account: str, known: Sequence[Entry]) -> Entry | None:
    waiting = [one for one in known if one.state == KEPT and one.account == account]
    if waiting:
        return waiting[-1]
    settled = [
        one
        for one in known
        if account == (one.owner if one.state in (RETURNED, ANSWERED) else one.account)
        and one.settled_at
    ]
    latest = max(settled, key=lambda one: (one.settled_at or 0, one.number), default=None)
    return None if latest is None or latest.state in (ADOPTED, ANSWERED) else latest


def _statement(entry: Entry, sent: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What the notice says."""
    reason = REASONS.get(entry.told, OUTSIDE)
    said: dict[str, Any] = {
        "type": "notice",
        "kind": {RETURNED: "returned", DISCARDED: "discarded"}.get(entry.state, KIND),
        "document": entry.doc_id,
        "revision": entry.rev,
        "reason": reason.code,
    }
    if entry.state == KEPT:
        return {
            **said,
            "text_en": f"{reason.text_en} {KEPT_EN}",
            "text_km": f"{reason.text_km} {KEPT_KM}",
        }
    said["note"] = entry.note
    if sent is not None:
        return {
            **said,
            "content": entries.body(sent),
            "attachments": sorted(sent.get("_attachments") or ()),
            "text_en": f"An administrator has sent this document back: {entry.note} Its content is "
            "in this notice: correct it and save it again.",
            "text_km": f"អ្នកគ្រប់គ្រងបានបញ្ជូនឯកសារនេះត្រឡប់មកវិញ៖ {entry.note} "
            "ខ្លឹមសារស្ថិតក្នុងសេចក្តីជូនដំណឹងនេះ៖ សូមកែតម្រូវ រួចរក្សាទុកម្តងទៀត។",
        }
    return {
        **said,
        "text_en": f"An administrator has decided not to take this document: {entry.note} If you "
        "do not agree, speak to them.",
        "text_km": f"អ្នកគ្រប់គ្រងបានសម្រេចមិនទទួលឯកសារនេះ៖ {entry.note} បើអ្នកមិនយល់ស្រប សូមនិយាយជាមួយគាត់។",
    }


def _write(
    notice: str, found: Revision | None, account: str, said: Mapping[str, Any] | None
) -> RevisionWrite | None:
    live = found is not None and not found.deleted
    body = b"{}" if said is None else orjson.dumps(said)
    if (said is None and not live) or (live and found is not None and found.body == body):
        return None
    above = found.revisions if found is not None else None
    parent = None if above is None else Revisions(above.start, above.ids[:1])
    return RevisionWrite(notice, parent, body, deleted=said is None, area=personal(account))
