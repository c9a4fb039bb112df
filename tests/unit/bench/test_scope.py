"""The country that scope is measured on, and the tablets that sync at once."""

from __future__ import annotations

import socketserver
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from sync_server.bench.communes import communes, fill, visits, workers
from sync_server.bench.http import Connection, Endpoint
from sync_server.bench.scope import percentile
from sync_server.bench.swarm import Script, Swarm, pull_script
from sync_server.bench.traffic import Tablet, TrafficError
from sync_server.parts import open_parts
from sync_server.settings import Settings
from sync_server.storage.sqlite import open_store


def test_communes_are_spread_over_provinces_and_districts() -> None:
    every = communes(1600)
    assert len(set(every)) == 1600
    assert len({code[:2] for code in every[:200]}) == 25
    assert Counter(code[:4] for code in every) == {code[:4]: 8 for code in every}
    with pytest.raises(ValueError, match="1600"):
        communes(1601)


def test_visits_register_as_many_households_everywhere_in_no_order() -> None:
    planned = visits(communes(20), 625, seed=1)
    total: Counter[str] = Counter()
    for place, size in planned:
        total[place] += size
    assert total == dict.fromkeys(communes(20), 625)
    assert planned != sorted(planned)
    assert max(size for _, size in planned) <= 14


def test_households_stand_in_the_area_of_their_village(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.create("country")
    database = store.database("country")
    told: list[int] = []
    fill(database, communes(3), 40, 1, told.append)
    for place in communes(3):
        rows = database.within([place]).changes().rows
        assert len(rows) == 40
        bodies = [
            orjson.loads(one.body) for one in database.winners([r.doc_id for r in rows]) if one
        ]
        assert all(body["village"].startswith(place) for body in bodies)
    assert sum(told) == 120
    store.close()


def test_a_worker_sees_the_commune_that_is_theirs(tmp_path: Path) -> None:
    parts = open_parts(Settings(data_dir=tmp_path))
    (one, other) = workers(parts, communes(2), ["country"])
    account = parts.accounts.find(one.name)
    assert account is not None
    assert [grant.area for grant in account.account.grants] == [one.commune]
    assert one.commune != other.commune
    assert one.endpoint(Endpoint("h", 1, "none")).authorization.startswith("Basic ")
    parts.close()


@pytest.mark.parametrize(
    ("share", "value"), [(0.95, 19), (0.5, 10), (1.0, 20), (0.01, 1), (0.951, 20)]
)
def test_a_percentile_is_a_value_that_was_measured(share: float, value: int) -> None:
    assert percentile(list(range(20, 0, -1)), share) == value


class Answering(socketserver.ThreadingTCPServer):
    """Answers every request with its path, or with what stands for the path in `answers`."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, answers: dict[str, tuple[int, object]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = answers
        self.asked: list[str] = []


class _Handler(socketserver.StreamRequestHandler):
    server: Answering

    def handle(self) -> None:
        while line := self.rfile.readline().decode():
            method, target, _ = line.split(" ")
            length = 0
            while (header := self.rfile.readline().decode().lower()) != "\r\n":
                if header.startswith("content-length:"):
                    length = int(header.partition(":")[2])
            self.rfile.read(length)
            key = f"{method} {target.partition('?')[0]}"
            self.server.asked.append(key)
            status, value = self.server.answers.get(key, (200, {"asked": key}))
            body = orjson.dumps(value)
            head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n"
            self.wfile.write(head.encode() + body)


PULL: dict[str, tuple[int, object]] = {
    "GET /db/c/_local/t": (404, {"error": "not_found"}),
    "GET /db/c/_changes": (
        200,
        {"results": [{"id": "a", "changes": [{"rev": "1-a"}]}], "last_seq": "7-x", "pending": 0},
    ),
    "POST /db/c/_bulk_get": (200, {"results": [{"id": "a", "docs": [{"ok": {"_id": "a"}}]}]}),
    "PUT /db/c/_local/t": (201, {"ok": True, "id": "_local/t", "rev": "0-1"}),
}


@pytest.fixture
def server() -> Iterator[Answering]:
    with Answering(PULL) as answering:
        thread = threading.Thread(target=answering.serve_forever, daemon=True)
        thread.start()
        yield answering
        answering.shutdown()


def endpoint(server: Answering) -> Endpoint:
    host, port = server.server_address[:2]
    return Endpoint(str(host), port, "Basic x")


def test_a_pull_reads_what_changed_and_writes_how_far_it_came(server: Answering) -> None:
    with Connection(endpoint(server)) as connection, Swarm([endpoint(server)]) as swarm:
        tablet = Tablet(connection, "/db/c", "t")
        (lap,) = swarm.run([pull_script(tablet, 0, expected=1)])
    assert lap.units == 1
    assert lap.seconds > 0
    assert server.asked == [
        "GET /db/c",
        "GET /db/c/_local/t",
        "GET /db/c/_changes",
        "POST /db/c/_bulk_get",
        "GET /db/c/_local/t",
        "PUT /db/c/_local/t",
    ]
    assert tablet.checkpoint.rev == "0-1"


def test_a_pull_that_brings_another_number_fails(server: Answering) -> None:
    with Connection(endpoint(server)) as connection, Swarm([endpoint(server)]) as swarm:
        tablet = Tablet(connection, "/db/c", "t")
        with pytest.raises(TrafficError, match="brought 1 documents, not 2"):
            swarm.run([pull_script(tablet, 0, expected=2)])


def test_tablets_of_a_swarm_take_turns_and_each_gets_its_own_answers(server: Answering) -> None:
    def script(number: int) -> Script:
        for step in range(5):
            response = yield endpoint(server).request("GET", f"/{number}/{step}")
            assert response.json() == {"asked": f"GET /{number}/{step}"}
        return number

    with Swarm([endpoint(server)] * 20) as swarm:
        laps = swarm.run([script(number) for number in range(20)])
        again = swarm.run([script(number) for number in range(20)])
    assert [lap.units for lap in laps] == [lap.units for lap in again] == list(range(20))
