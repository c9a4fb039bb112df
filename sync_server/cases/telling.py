"""Notices to the authors whose value was not taken, by a policy or by an admin.

One notice per document, set of fields and author, in the author's personal area, with an id made
of the three: saying the same again writes nothing. An author who thinks otherwise writes a
document `contest:<uuid>` that names the notice (see `schemas/contest.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

import schemas
from conflict.canonical import MISSING, canonical, same
from conflict.merge import Override
from sync_server.access.areas import personal
from sync_server.cases.contents import Contents
from sync_server.cases.records import CaseVersion
from sync_server.cases.results import Result
from sync_server.storage.base import Database, Revision, Revisions, RevisionWrite

KIND = "overridden"


@dataclass(frozen=True, slots=True)
class Loss:
    """A value that was not taken. Values may be MISSING. `at`: when the kept one was captured."""

    account: str
    field: str
    rev: str
    value: Any
    kept: Any
    kept_by: str
    at: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of a document. `by`: the admin who decided; None for a policy."""

    document: str
    type: str
    rev: str
    by: str | None = None
    case: int | None = None
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    doc_id: str
    area: str
    body: bytes


# -- who lost what -----------------------------------------------------------------


def by_policy(overrides: Iterable[Override], versions: Sequence[CaseVersion]) -> list[Loss]:
    """`versions`: the leaves that were merged."""
    by_rev = {version.rev: version for version in versions}
    return [
        _loss(one.field, by_rev[one.rev], one.value, one.chosen, versions, "")
        for one in overrides
        if one.field not in schemas.BOOKKEEPING
    ]


def by_decision(known: Contents, result: Result, admin: str) -> list[Loss]:
    """What an admin's decision did not take, and what the policies did not on the way."""
    versions = [*known.live, *known.claims]
    decided = set(result.decided)
    losses = by_policy([one for one in result.overrides if one.field not in decided], known.live)
    for name in result.decided:
        kept = result.value(name)
        for version in versions:
            if _changed(known, version, name) and not same(version.value(name), kept):
                losses.append(_loss(name, version, version.value(name), kept, versions, admin))
    return losses


def _changed(known: Contents, version: CaseVersion, name: str) -> bool:
    if name in schemas.BOOKKEEPING or not version.says(name):
        return False
    return known.base is None or not same(version.value(name), known.base.value(name))


def _loss(
    name: str,
    version: CaseVersion,
    value: Any,
    kept: Any,
    versions: Sequence[CaseVersion],
    otherwise: str,
) -> Loss:
    theirs = [one for one in versions if one.says(name) and same(one.value(name), kept)]
    first = max(theirs, key=lambda one: (one.at, one.rev), default=None)
    kept_by = first.writer(name) if first else otherwise
    at = first.at if first else 0
    return Loss(version.writer(name), name, version.rev, value, kept, kept_by, at)


# -- the documents -----------------------------------------------------------------


def notice_id(document: str, fields: Iterable[str], account: str) -> str:
    content = canonical([KIND, document, sorted(fields), account])
    return f"notice:{hashlib.md5(content, usedforsecurity=False).hexdigest()}"


def notices(judgement: Judgement, losses: Sequence[Loss]) -> list[Notice]:
    """One notice per author; nobody is told what they decided themselves."""
    people = sorted({loss.account for loss in losses})
    return [
        _notice(judgement, account, [loss for loss in losses if loss.account == account])
        for account in people
        if account and not account.startswith("_") and account != judgement.by
    ]


def _notice(judgement: Judgement, account: str, losses: Sequence[Loss]) -> Notice:
    names = [] if judgement.deleted else sorted({loss.field for loss in losses})
    content = {
        "type": "notice",
        "kind": KIND,
        "document": judgement.document,
        "document_type": judgement.type,
        "account": account,
        "revision": judgement.rev,
        "decided_by": judgement.by,
        "case": judgement.case,
        "deleted": judgement.deleted,
        "fields": [_told(judgement, loss) for loss in losses],
        **_texts(judgement, names),
    }
    doc_id = notice_id(judgement.document, names, account)
    return Notice(doc_id, personal(account), orjson.dumps(content))


def _told(judgement: Judgement, loss: Loss) -> dict[str, Any]:
    values = {"yours": loss.value, "kept": loss.kept}
    return {
        "field": loss.field,
        "label_en": schemas.label(judgement.type, loss.field, "en"),
        "label_km": schemas.label(judgement.type, loss.field, "km"),
        **{name: value for name, value in values.items() if value is not MISSING},
        "your_revision": loss.rev,
        "kept_by": loss.kept_by,
        "kept_at": loss.at,
    }


def _texts(judgement: Judgement, names: Sequence[str]) -> dict[str, str]:
    en, km = (
        ", ".join(schemas.label(judgement.type, name, language) for name in names)
        for language in ("en", "km")
    )
    if judgement.deleted:
        first_en = f"{judgement.by} deleted this document, which you had changed."
        first_km = f"{judgement.by} បានលុបឯកសារនេះ ដែលអ្នកបានកែប្រែ។"
    elif judgement.by:
        first_en = f"{judgement.by} settled a conflict: another value than yours stands for {en}."
        first_km = f"{judgement.by} បានដោះស្រាយទិន្នន័យមិនស៊ីគ្នា៖ {km} ប្រើតម្លៃផ្សេងពីតម្លៃរបស់អ្នក។"
    else:
        first_en = f"Somebody else changed {en} too, and their value stands."
        first_km = f"អ្នកផ្សេងក៏បានកែប្រែ {km} ដែរ ហើយតម្លៃរបស់គេត្រូវបានរក្សាទុក។"
    return {
        "text_en": f"{first_en} If yours is right, contest this notice: an admin will look.",
        "text_km": f"{first_km} បើតម្លៃរបស់អ្នកត្រឹមត្រូវ សូមជំទាស់នឹងសេចក្តីជូនដំណឹងនេះ អ្នកគ្រប់គ្រងនឹងពិនិត្យ។",
    }


# -- writing them ------------------------------------------------------------------


def writes(
    database: Database, told: Sequence[Notice], withdrawn: Sequence[str] = ()
) -> list[RevisionWrite]:
    """Revisions (for `new_edits=False`) that make the notices say this, and delete the withdrawn.

    Ids are computed from the content, so that they may be stored together with what they tell of.
    """
    contents: dict[str, Notice | None] = {one.doc_id: one for one in told}
    contents = {**dict.fromkeys(withdrawn), **contents}
    present = database.winners(list(contents))
    made = [
        _write(doc_id, one, found)
        for (doc_id, one), found in zip(contents.items(), present, strict=True)
    ]
    return [write for write in made if write is not None]


def _write(doc_id: str, notice: Notice | None, found: Revision | None) -> RevisionWrite | None:
    live = found is not None and not found.deleted
    if notice is None and not live:
        return None
    body = b"{}" if notice is None else notice.body
    if live and found is not None and notice is not None and found.body == body:
        return None
    above = found.revisions if found else Revisions(0, [])
    seed = canonical([doc_id, above.start, list(above.ids[:1]), notice is None])
    digest = hashlib.md5(seed + body, usedforsecurity=False).hexdigest()
    revisions = Revisions(above.start + 1, [digest, *above.ids])
    area = None if notice is None else notice.area
    return RevisionWrite(doc_id, revisions, body, deleted=notice is None, area=area)
