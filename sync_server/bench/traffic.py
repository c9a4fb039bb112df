"""The requests of a replicating tablet, as PouchDB 9's replicator sends them.

Per batch a push is `_revs_diff`, `_bulk_docs` with `new_edits: false` and the checkpoint; a pull
is `_changes`, `_bulk_get` and the checkpoint; a sync that finds nothing reads the database, the
checkpoint and `_changes`. Requests of a push are built before the clock starts and responses
are verified after it has stopped, so what is timed is the server.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any
from urllib.parse import quote

import orjson

from sync_server.bench.households import Household
from sync_server.bench.http import Connection, Endpoint, Response

BATCH = 100
"""Documents per batch: PouchDB's and CouchDB's own default."""
HISTORY = 5
"""Sessions that PouchDB keeps in a checkpoint."""
_REV = re.compile(rb'"rev"\s*:\s*"([^"]+)"')


class TrafficError(Exception):
    """A peer answered something that a replication would have stopped at."""


@dataclass(frozen=True, slots=True)
class Lap:
    """A timed stretch of one client, on the machine's monotonic clock."""

    start: float
    end: float
    units: int
    """Documents or syncs done in it."""

    @property
    def seconds(self) -> float:
        return self.end - self.start


def rate(laps: Iterable[Lap]) -> float:
    """Units per second of clients that ran side by side: first start to last end."""
    ran = list(laps)
    whole = max(lap.end for lap in ran) - min(lap.start for lap in ran)
    return sum(lap.units for lap in ran) / whole


@dataclass
class Checkpoint:
    """The `_local` document of one replication, shaped as PouchDB writes it."""

    replication_id: str
    session: str
    rev: str | None = None
    history: list[dict[str, Any]] = field(default_factory=list)

    def body(self, last_seq: object) -> bytes:
        entry = {"last_seq": last_seq, "session_id": self.session}
        others = [item for item in self.history if item["session_id"] != self.session]
        self.history = [entry, *others][:HISTORY]
        document: dict[str, Any] = {
            "session_id": self.session,
            "_id": f"_local/{self.replication_id}",
            "history": self.history,
            "replicator": "pouchdb",
            "version": 1,
            "last_seq": last_seq,
        }
        if self.rev is not None:
            document["_rev"] = self.rev
        return orjson.dumps(document)


class Tablet:
    """One tablet's requests against one database, over one connection."""

    def __init__(self, connection: Connection, database: str, replication_id: str) -> None:
        """`database` is the path of the database at the peer, `/db/name` or `/name`."""
        self.connection = connection
        self.database = database
        self.checkpoint = Checkpoint(replication_id, session=f"session-{replication_id}")
        self._build = connection.endpoint.request
        self._local = f"{database}/_local/{quote(replication_id, safe='')}"

    def changes_target(self, since: object, limit: int = BATCH) -> str:
        since_text = since if isinstance(since, str) else orjson.dumps(since).decode()
        return (
            f"{self.database}/_changes?style=all_docs"
            f"&since={quote(since_text, safe='')}&limit={limit}"
        )

    def changes_request(self, since: object, limit: int = BATCH) -> bytes:
        return self._build("GET", self.changes_target(since, limit))

    def changes(self, since: object, limit: int = BATCH) -> Response:
        return self.connection.exchange(self.changes_request(since, limit))

    def bulk_get_request(self, rows: Iterable[dict[str, Any]]) -> bytes:
        """Of every leaf of these rows of the changes feed."""
        wanted = [
            {"id": row["id"], "rev": change["rev"]} for row in rows for change in row["changes"]
        ]
        target = f"{self.database}/_bulk_get?revs=true&latest=true"
        return self._build("POST", target, orjson.dumps({"docs": wanted}))

    def bulk_get(self, rows: Iterable[dict[str, Any]]) -> Response:
        return self.connection.exchange(self.bulk_get_request(rows))

    def write_checkpoint_request(self, last_seq: object) -> bytes:
        return self._build("PUT", self._local, self.checkpoint.body(last_seq))

    def checkpoint_written(self, response: Response) -> None:
        """What the answer says, for the next time the checkpoint is written."""
        if (match := _REV.search(response.content())) is not None:
            self.checkpoint.rev = match[1].decode()

    def write_checkpoint(self, last_seq: object) -> Response:
        response = self.connection.exchange(self.write_checkpoint_request(last_seq))
        self.checkpoint_written(response)
        return response

    def read_checkpoint_request(self) -> bytes:
        return self._build("GET", self._local)

    def read_checkpoint(self) -> Response:
        return self.connection.exchange(self.read_checkpoint_request())

    def read_database_request(self) -> bytes:
        return self._build("GET", self.database)

    def read_database(self) -> Response:
        return self.connection.exchange(self.read_database_request())

    def push_requests(self, batch: list[Household]) -> tuple[bytes, bytes]:
        """`_revs_diff` and `_bulk_docs` of one batch, ready to be sent."""
        diff = orjson.dumps({household.doc_id: [household.rev] for household in batch})
        docs = orjson.dumps(
            {"docs": [household.replicated() for household in batch], "new_edits": False}
        )
        return (
            self._build("POST", f"{self.database}/_revs_diff", diff),
            self._build("POST", f"{self.database}/_bulk_docs", docs),
        )


def batches(households: Iterable[Household], size: int = BATCH) -> Iterator[list[Household]]:
    batch: list[Household] = []
    for household in households:
        batch.append(household)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def prepare_push(
    tablet: Tablet, households: Iterable[Household], stop: Callable[[], bool] = lambda: False
) -> Callable[[], Lap]:
    """A first push of these documents, to be run and timed later; `stop` is asked before each
    batch whether to leave the rest.
    """
    prepared = [(len(batch), *tablet.push_requests(batch)) for batch in batches(households)]

    def run() -> Lap:
        responses: list[Response] = []
        start = perf_counter()
        for number, (_, diff, docs) in enumerate(prepared, 1):
            if stop():
                break
            responses.append(tablet.connection.exchange(diff))
            responses.append(tablet.connection.exchange(docs))
            responses.append(tablet.write_checkpoint(number * BATCH))
        end = perf_counter()
        sizes = [size for size, _, _ in prepared[: len(responses) // 3]]
        _verify_push(sizes, responses)
        return Lap(start, end, sum(sizes))

    return run


def _verify_push(sizes: Sequence[int], responses: Sequence[Response]) -> None:
    for size, diffed, stored, noted in zip(
        sizes, responses[::3], responses[1::3], responses[2::3], strict=True
    ):
        require(diffed, {200})
        if len(diffed.json()) != size:
            raise TrafficError("_revs_diff knew documents that were never sent")
        require(stored, {201, 200})
        if stored.json() != []:
            raise TrafficError(f"_bulk_docs refused documents: {stored.content()[:200]!r}")
        require(noted, {201})


def pull(tablet: Tablet, since: object = 0, *, limit: int = BATCH, expected: int) -> Lap:
    """Pull everything after `since`; raises TrafficError unless `expected` documents came."""
    fetched: list[tuple[int, Response]] = []
    noted: list[Response] = []
    start = perf_counter()
    while True:
        changed = tablet.changes(since, limit)
        require(changed, {200})
        page = changed.json()
        rows = page["results"]
        if rows:
            fetched.append((len(rows), tablet.bulk_get(rows)))
            noted.append(tablet.write_checkpoint(page["last_seq"]))
            since = page["last_seq"]
        if len(rows) < limit:
            break
    end = perf_counter()
    for response in noted:
        require(response, {201})
    total = sum(documents_of(response, count) for count, response in fetched)
    if total != expected:
        raise TrafficError(f"a pull brought {total} documents, not {expected}")
    return Lap(start, end, total)


def pull_batch(tablet: Tablet, since: object, limit: int = BATCH) -> Lap:
    """One full batch after `since`, whatever else there is."""
    start = perf_counter()
    page = tablet.changes(since, limit).json()
    fetched = tablet.bulk_get(page["results"])
    noted = tablet.write_checkpoint(page["last_seq"])
    end = perf_counter()
    require(noted, {201})
    if documents_of(fetched, limit) != limit:
        raise TrafficError(f"a batch did not bring its {limit} documents")
    return Lap(start, end, limit)


def idle_sync(tablet: Tablet, since: object, repetitions: int = 1) -> Lap:
    """Syncs that find nothing; the checkpoint must be there."""
    responses: list[Response] = []
    start = perf_counter()
    for _ in range(repetitions):
        responses += (tablet.read_database(), tablet.read_checkpoint(), tablet.changes(since))
    end = perf_counter()
    for response in responses:
        require(response, {200})
    if any(response.json()["results"] for response in responses[2::3]):
        raise TrafficError("a sync that should find nothing found changes")
    return Lap(start, end, repetitions)


def require(response: Response, statuses: set[int]) -> None:
    """Raises TrafficError unless the response has one of these statuses."""
    if response.status not in statuses:
        raise TrafficError(f"status {response.status}: {response.content()[:300]!r}")


def documents_of(response: Response, rows: int) -> int:
    """How many documents a `_bulk_get` of so many rows brought. Raises TrafficError."""
    require(response, {200})
    results = response.json()["results"]
    found = sum("ok" in item for result in results for item in result["docs"])
    if len(results) < rows:
        raise TrafficError(f"_bulk_get answered {len(results)} of {rows} documents")
    return found


def update_seq(endpoint: Endpoint, database: str) -> object:
    """The latest update sequence of a database, as the peer writes it."""
    with Connection(endpoint) as connection:
        response = connection.ask("GET", database)
    require(response, {200})
    return response.json()["update_seq"]
