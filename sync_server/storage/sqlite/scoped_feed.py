"""The feed of a reader who sees some areas: what is in them, and what has gone from them.

A sequence names the set of areas that the reader saw. While that set stays the same, a page is

- documents of these areas that changed since, and
- *departures* (see `storage/departures.py`) of those that have left these areas since.

Where the set has changed from F to S at sequence n, the difference is told first: documents of
the areas that came, up to n; departures of what stands in the areas that went, or has left them
since. All are read in the order of their sequences, and the sequence given with each row says how
far that has come, so a reader may stop at any row and go on later. Then the feed goes on from n.

What has moved after n from an area of F to one of S is in sight, and told when the feed comes to
it. A reader whose set changes again before that still holds it: so until they have come to where
the database stood when the difference was told, their sequence names F as well.

A departure is listed only where the reader may have had the document; otherwise it would tell of
what they never saw. They had what had come into one of their areas before their sequence. They may
have more: what they wrote themselves, and what they pulled without being able to note how far they
had come. `formerly` says what was in sight after they were given the sequence.
"""

from __future__ import annotations

import heapq
import itertools
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any, NamedTuple

import orjson

from conflict.revision_tree import RevisionTree
from sync_server.storage.base import Change, ChangesPage, Formerly
from sync_server.storage.departures import departures
from sync_server.storage.sqlite import feed, records, sequences, tally
from sync_server.storage.sqlite.scopes import Scope, Transition, transition
from sync_server.storage.sqlite.sequences import Position

_PRESENT = "seq, id, rev, deleted, leaves, NULL, area, number, entered"
_GONE = "id, NULL, 1, NULL, tree, document.area, number"


Row = tuple[Any, ...]
"""As an Entry, before it is made one: most are told as they come."""

_TREE = 5

_NEWS = (
    "SELECT value, EXISTS (SELECT 1 FROM document WHERE area = value AND seq > :number),"
    " EXISTS (SELECT 1 FROM move WHERE area = value AND seq > :number)"
    " FROM json_each(:areas)"
)


class News(NamedTuple):
    """Areas in sight in which documents have changed, or which some have left, after a reader's
    sequence.
    """

    came: Sequence[str]
    left: Sequence[str]


NO_NEWS = News((), ())


class Entry(NamedTuple):
    """A row of the feed, in the order of `seq`; with `tree` it is a departure."""

    seq: int
    doc_id: str
    rev: str
    deleted: int
    leaves: str | None
    tree: bytes | None
    area: str
    number: int
    entered: int
    """The sequence at which it came to the area where it is."""


def changes(
    connection: sqlite3.Connection,
    since: str,
    limit: int | None,
    scope: Scope,
    formerly: Formerly | None,
    intern: Callable[[Scope], None],
) -> ChangesPage:
    """A page of the feed. `intern` keeps a scope that sequences are going to name.

    Raises BadRequest for a malformed `since`.
    """
    latest, epoch = feed.position(connection)
    step = transition(connection, sequences.read(since, epoch), scope, formerly)
    news = _news(connection, step, latest)
    if step.is_told and not any(news):
        where = Position(step.number if step.is_steady else latest, scope.name)
        return ChangesPage([], sequences.scoped_token(where, epoch), 0)
    ahead = sequences.scoped_token(Position(latest, scope.name), epoch)
    told = [] if step.is_told else list(itertools.islice(_difference(connection, step), limit))
    settled = step.settled(latest)
    intern(step.partly)
    intern(settled.partly)
    left = None if limit is None else limit - len(told)
    entries = list(itertools.islice(_since(connection, settled, news), left))
    rows = [_change(row, sequences.scoped_token(step.during(row[0]), epoch)) for row in told]
    sequence_of = _sequences(settled, epoch)
    rows += [_change(row, sequence_of(row[0])) for row in entries]
    if limit is None or len(rows) < limit:
        return ChangesPage(rows, ahead, 0)
    if entries:
        pending = _pending(connection, settled, settled.after(entries[-1][0]), news)
    else:
        pending = _pending(connection, step, step.during(told[-1][0]) if told else None, news)
    if not pending and rows:
        return ChangesPage(rows, ahead, 0)
    return ChangesPage(rows, rows[-1].seq if rows else since, pending)


def _sequences(step: Transition, epoch: str) -> Callable[[int], str]:
    """Of a settled reader, what names the sequence of a row."""
    if step.horizon:
        return lambda seq: sequences.scoped_token(step.after(seq), epoch)
    tail = sequences.scoped_token(step.after(0), epoch)[1:]
    return lambda seq: f"{seq}{tail}"


def _change(row: Row, seq: str) -> Change:
    _, doc_id, rev, deleted, leaves, tree = row[:6]
    if tree is not None:
        gone = RevisionTree.decode(tree).leaves()
        return Change(seq, doc_id, True, departures(doc_id, gone), departed=True)
    revs = (rev,) if leaves is None else orjson.loads(leaves)
    return Change(seq, doc_id, deleted == 1, revs)


def _news(connection: sqlite3.Connection, step: Transition, latest: int) -> News:
    """Two looks at an index for each area, whatever has happened elsewhere: most syncs find
    nothing, and most areas of a worker hold little.
    """
    if step.number >= latest:
        return NO_NEWS
    rows = connection.execute(
        _NEWS, {"areas": orjson.dumps(sorted(step.scope.areas)).decode(), "number": step.number}
    ).fetchall()
    counts = step.number or step.formerly
    return News(
        [area for area, came, _ in rows if came],
        [area for area, _, left in rows if left and counts],
    )


def _since(connection: sqlite3.Connection, step: Transition, news: News) -> Iterator[Row]:
    """What happened in the scope after the reader's sequence."""
    cursors = [_present(connection, area, step.number, None) for area in news.came]
    cursors += [_left(connection, area, step.number) for area in news.left]
    return _merged(connection, cursors, step)


def _difference(connection: sqlite3.Connection, step: Transition) -> Iterator[Row]:
    """What another scope brings and takes away, of all up to the reader's sequence."""
    number, told, seen = step.number, step.told, step.scope.areas
    came = frozenset[str]() if step.known.is_everything else seen - step.known.areas
    cursors = [_present(connection, area, told, number) for area in sorted(came)]
    if step.held.is_everything:
        cursors.append(_standing(connection, None, told))
    else:
        went = sorted(step.held.areas - seen)
        cursors += [_standing(connection, area, told) for area in went]
        cursors += [_left(connection, area, max(told, number)) for area in went]
    return _merged(connection, cursors, step)


def _merged(
    connection: sqlite3.Connection, cursors: Sequence[Iterator[Row]], step: Transition
) -> Iterator[Row]:
    """In the order of sequences; what has gone must not be in sight elsewhere."""
    for row in heapq.merge(*cursors, key=itemgetter(0)):
        if row[_TREE] is None or _is_departure(connection, Entry(*row), step):
            yield row


def _is_departure(connection: sqlite3.Connection, entry: Entry, step: Transition) -> bool:
    return entry.area not in step.scope.areas and _may_hold(connection, entry, step)


def _may_hold(connection: sqlite3.Connection, entry: Entry, step: Transition) -> bool:
    """Whether the reader may have got the document while it was in one of their areas.

    Not only while it was in this one: it may have left, come back and left again meanwhile.
    """
    held, number, formerly = step.held, step.number, step.formerly
    stays = connection.execute(
        "SELECT area, entered, entered_at, NULL FROM document WHERE number = :it UNION ALL"
        " SELECT area, entered, entered_at, left_at FROM move WHERE document = :it",
        {"it": entry.number},
    )
    for area, entered, *time in stays:
        told = entered <= number and (held.is_everything or area in held.areas)
        if formerly is None:
            if told:
                return True
        elif formerly.saw(area, *time) and (told or formerly.saw_lately(area, *time)):
            return True
    return False


def _present(
    connection: sqlite3.Connection, area: str, after: int, until: int | None
) -> Iterator[Any]:
    return connection.execute(
        f"SELECT {_PRESENT} FROM document WHERE area = ? AND seq > ? AND seq <= ? ORDER BY seq",
        (area, after, until if until is not None else 2**62),
    )


def _standing(connection: sqlite3.Connection, area: str | None, after: int) -> Iterator[Any]:
    """Documents of an area that is out of sight now (None: of any)."""
    where, values = ("", ()) if area is None else (" AND area = ?", (area,))
    return connection.execute(
        f"SELECT seq, {_GONE}, entered FROM document WHERE seq > ?{where} ORDER BY seq",
        (after, *values),
    )


def _left(connection: sqlite3.Connection, area: str, after: int) -> Iterator[Any]:
    """Documents that have left an area since."""
    return connection.execute(
        f"SELECT move.seq, {_GONE}, document.entered FROM move"
        " JOIN document ON number = move.document"
        " WHERE move.area = ? AND move.seq > ? ORDER BY move.seq",
        (area, after),
    )


def _pending(
    connection: sqlite3.Connection, step: Transition, last: Position | None, news: News
) -> int:
    """Rows after this position: counted where that is cheap, else at least one if there is any."""
    told, number = step.told, step.number
    if last is not None:
        told, number = last.told, last.number
    rest = replace(step, number=number, told=told)
    areas = step.scope.areas
    counted = tally.count_of_areas(connection, number, areas)
    differs = not rest.is_told and next(_difference(connection, rest), None) is not None
    if differs and not step.known.is_everything:
        came = areas - step.known.areas
        counted += tally.count_of_areas(connection, told, came)
        counted -= tally.count_of_areas(connection, number, came)
    if counted:
        return counted
    return int(differs or next(_since(connection, rest, news), None) is not None)


def named(
    connection: sqlite3.Connection,
    since: str,
    scope: Scope,
    formerly: Formerly | None,
    doc_ids: Iterable[str],
) -> list[Change]:
    """What a reader who asks for these documents alone has to be told.

    Where their scope has changed, all of them that are in sight: rows cost little, and a client
    fetches no revision twice.
    """
    _, epoch = feed.position(connection)
    step = transition(connection, sequences.read(since, epoch), scope, formerly)
    after = step.number if step.is_told else 0
    entries = []
    for chunk, marks in records.chunks(list(dict.fromkeys(doc_ids))):
        rows = connection.execute(
            f"SELECT {_PRESENT}, tree FROM document WHERE id IN ({marks})", chunk
        )
        for *row, tree in rows:
            entry = Entry(*row)
            if entry.area not in scope.areas:
                if _may_hold(connection, entry, step):
                    entries.append(entry._replace(tree=tree))
            elif entry.seq > after:
                entries.append(entry)
    entries.sort()
    return [
        _change(entry, sequences.scoped_token(Position(entry.seq, scope.name), epoch))
        for entry in entries
    ]


def has_changed(
    connection: sqlite3.Connection, since: str, scope: Scope, formerly: Formerly | None
) -> bool:
    """Whether a page after `since` may hold anything."""
    latest, epoch = feed.position(connection)
    step = transition(connection, sequences.read(since, epoch), scope, formerly)
    if step.known != scope or not step.is_told:
        return True
    news = _news(connection, step, latest)
    return any(news) and next(_since(connection, step, news), None) is not None
