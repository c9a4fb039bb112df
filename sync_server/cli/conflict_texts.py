"""Cases, trees and histories as text for `sync-server conflict`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

import schemas
from conflict.branches import merged_into
from conflict.canonical import MISSING
from conflict.drawing import draw, short, tree_of
from conflict.merge import FieldMerge
from conflict.picture import Picture
from conflict.resolution import Plan
from sync_server.branches import read_disputed
from sync_server.cases.explaining import DECISION, EDIT, MERGE, SERVERS, UNDOING, UNKNOWN, Step
from sync_server.cases.records import OPEN, Case, type_of
from sync_server.storage.base import Database, Revision

_VERBS = {
    EDIT: "written by",
    MERGE: "merged by",
    DECISION: "decided by",
    UNDOING: "undone by",
    SERVERS: "written anew by",
    UNKNOWN: "not kept",
}


def moment(at: int | None) -> str:
    """Milliseconds since 1970 as text, in UTC."""
    return "-" if at is None else f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%SZ}"


def value(of: Any) -> str:
    return "-" if of is MISSING else orjson.dumps(of).decode()


# -- lists -----------------------------------------------------------------------------


def case_line(case: Case, authors: Sequence[str]) -> str:
    columns = (
        str(case.number),
        case.state,
        case.document,
        case.area or "nation",
        case.reason,
        ",".join(case.fields) or "-",
        ",".join(authors) or "-",
        moment(case.opened_at),
    )
    return "\t".join(columns)


# -- a conflict --------------------------------------------------------------------------


def read_leaves(database: Database, doc_id: str) -> list[Revision]:
    found = database.open_revs(doc_id, None)
    return [one for one in found if isinstance(one, Revision)]


def picture(database: Database, leaves: Sequence[Revision], case: Case | None) -> Iterator[str]:
    """`leaves`: all of one document; `case`: the last one about it."""
    yield from _tree(database, leaves)
    if case is not None:
        about = ", ".join(case.fields) or "the document as a whole"
        closed = "" if case.state == OPEN else f" by {case.closed_by} {moment(case.closed_at)}"
        yield f"case {case.number}: {case.state}{closed}, {case.reason}, about {about}"
    for leaf in leaves:
        if merged_into(leaf.body) is None:
            yield _leaf(leaf)
    disputed = read_disputed(database, [leaves[0].doc_id])
    if disputed:
        yield from _policies(disputed[0].picture(), type_of(orjson.loads(leaves[0].body)))
    else:
        yield "no conflict: nothing is to be resolved"


def _tree(database: Database, leaves: Sequence[Revision]) -> Iterator[str]:
    tree = tree_of((*leaf.revisions, leaf.deleted) for leaf in leaves)
    named = {leaf.rev: merged_into(leaf.body) for leaf in leaves if leaf.deleted}
    into = {rev: other for rev, other in named.items() if other is not None}
    inner = [rev for rev in tree.nodes if rev not in {leaf.rev for leaf in leaves}]
    answers = database.bulk_get([(leaves[0].doc_id, rev) for rev in inner])
    kept = {one.rev for answer in answers for one in answer if isinstance(one, Revision)}
    yield from draw(tree, into, set(inner) - kept).splitlines()


def _leaf(leaf: Revision) -> str:
    fields = orjson.loads(leaf.body)
    what = "deleted" if leaf.deleted else "leaf"
    said = fields.get("captured_at")
    captured = f", captured {said}" if type(said) is str else ""
    on = f" on {leaf.origin.device}" if leaf.origin.device else ""
    who = leaf.origin.account or "somebody"
    received = moment(leaf.origin.received_at)
    return f"{what} {short(leaf.rev)} by {who}{on}{captured}, received {received}"


def _policies(seen: Picture, kind: str) -> Iterator[str]:
    if seen.base is not None:
        yield f"base {short(seen.base.rev)}"
    else:
        several = ", ".join(map(short, seen.bases))
        yield f"base not to be had: {several or 'no common state is known'}"
    for item in seen.fields:
        if item.changed_by or item.chosen is None:
            yield from _field(item, kind)
    yield _outcome(seen)


def _field(item: FieldMerge, kind: str) -> Iterator[str]:
    answer = item.chosen or item.suggested
    if item.chosen is not None:
        said = value(item.chosen.value)
    elif answer is not None:
        said = f"a person must choose; the policy would choose {value(answer.value)}"
    else:
        said = "a person must choose"
    label = schemas.label(kind, item.field, "en")
    yield f"  {item.field} ({label}), {item.policy}: {said}"
    yield f"    base {value(item.base)}"
    for rev, said_there in item.values.items():
        mark = "*" if rev in item.changed_by else " "
        yield f"   {mark}{short(rev)} {value(said_there)}"


def _outcome(seen: Picture) -> str:
    if isinstance(seen.outcome, Plan):
        return f"the resolver makes {short(seen.outcome.rev)} of it"
    return f"the resolver leaves it to a person: {seen.outcome.reason}"


# -- how a document came to be -----------------------------------------------------------


def step(one: Step) -> Iterator[str]:
    """A revision, and what went into it."""
    deleted = ", deleted" if one.deleted else ""
    gone = "" if one.kept else ", content not kept"
    if one.kind == UNKNOWN:
        yield f"{short(one.rev)} {_VERBS[UNKNOWN]}"
    else:
        on = f" on {one.device}" if one.device else ""
        who = one.account or "somebody"
        at = moment(one.received_at)
        yield f"{short(one.rev)} {_VERBS[one.kind]} {who}{on}, {at}{deleted}{gone}"
    if one.case is not None:
        how = "; ".join(f"{name} {value(said)}" for name, said in one.how.items())
        yield f"    case {one.case}{': ' if how else ''}{how}"
    for rev in one.merged:
        yield f"    took in {short(rev)}"
    for lost in one.not_taken:
        kept = value(lost.get("chosen", MISSING))
        other = value(lost.get("value", MISSING))
        who = lost["account"] or "somebody"
        yield f"    {lost['field']}: {kept}, not {other} of {who} ({short(lost['rev'])})"
