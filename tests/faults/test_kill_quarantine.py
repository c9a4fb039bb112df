"""kill -9 while a tablet's writes are being refused: whatever it was told `forbidden` about is in
quarantine, once, and it hears of all of it.

The kills come at random moments, so some fall between the commit of quarantine and the answer.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from sync_server.demo.tablet import eventually
from sync_server.quarantine.telling import notice_of
from tests.domain.conftest import household
from tests.faults.processes import kill, web_workers
from tests.serving import RunningServer

CEW = ("sok", "sok-12345")
WORKER_KILLS = 40
WHOLE_KILLS = 6
SEED = int(os.environ.get("KILL_SEED", "1"))
LONGEST_WAIT = 0.1
BATCH = 4
TIMEOUT = (2.0, 20.0)


@pytest.fixture(scope="module")
def own_server() -> Iterator[RunningServer]:
    with RunningServer(resolve_sweep_seconds="1") as running:
        running.account(*CEW, roles=["cew"], databases=["rushit"], areas=["020301"])
        yield running


class Forger:
    """Sends batches of which half is forged, each again until it is answered."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.refused: list[str] = []
        self.stored: list[str] = []
        self.unexpected: list[str] = []
        self._session = requests.Session()
        self._session.auth = CEW
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=60)

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            batch = [self._document(number + offset) for offset in range(BATCH)]
            while not self._send(batch):
                if self._stop.is_set():
                    return
                time.sleep(0.01)
            number += BATCH

    def _document(self, number: int) -> dict[str, Any]:
        author = "sok" if number % 2 else "somebody"
        return {"_id": f"household:{number:06d}", "_rev": "1-a", **household(author=author)}

    def _send(self, batch: list[dict[str, Any]]) -> bool:
        body = {"new_edits": False, "docs": batch}
        try:
            answer = self._session.post(f"{self.url}/_bulk_docs", json=body, timeout=TIMEOUT)
            rows = answer.json()
        except requests.RequestException:
            return False
        if answer.status_code != 201:
            if answer.status_code != 503:
                self.unexpected.append(answer.text[:200])
            return False
        refused = [row["id"] for row in rows if row["error"] == "forbidden"]
        self.refused += refused
        self.stored += [one["_id"] for one in batch if one["_id"] not in refused]
        return True


def entries(server: RunningServer) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    after = 0
    while True:
        page = requests.get(
            f"{server.url}/api/rushit/quarantine",
            params={"limit": 500, "after": after},
            auth=server.admin,
            timeout=60,
        ).json()
        for entry in page["entries"]:
            assert entry["doc_id"] not in found, "kept twice"
            found[entry["doc_id"]] = entry
        if page["next"] is None:
            return found
        after = page["next"]


def missing(server: RunningServer, doc_ids: list[str]) -> Any:
    return requests.post(
        f"{server.db_url()}/_revs_diff",
        json={doc_id: ["1-a"] for doc_id in doc_ids},
        auth=server.admin,
        timeout=60,
    ).json()


def kill_workers(server: RunningServer) -> None:
    kill(web_workers(server))


def kill_everything(server: RunningServer) -> None:
    server.kill()
    server.start()


def answers(server: RunningServer) -> bool:
    try:
        return requests.get(server.db_url(), auth=server.admin, timeout=5).ok
    except requests.RequestException:
        return False


@pytest.mark.timeout(280)
def test_nothing_that_was_refused_is_missing_after_kill_9(own_server: RunningServer) -> None:
    moments = random.Random(SEED)
    forger = Forger(own_server.db_url())
    forger.start()
    strikes: list[Callable[[RunningServer], None]] = [kill_workers] * WORKER_KILLS
    strikes += [kill_everything] * WHOLE_KILLS
    try:
        for strike in strikes:
            before = len(forger.refused)
            eventually(lambda: len(forger.refused) > before, what="a push")  # noqa: B023
            time.sleep(moments.uniform(0, LONGEST_WAIT))
            strike(own_server)
            eventually(lambda: answers(own_server), what="an answer")
    finally:
        forger.stop()
    assert forger.unexpected == []
    kept = entries(own_server)
    assert set(forger.refused) <= kept.keys(), f"KILL_SEED={SEED}"
    assert missing(own_server, forger.stored) == {}
    assert set(missing(own_server, list(kept))) == kept.keys()
    assert any(entry["times"] > 1 for entry in kept.values()), "no kill fell where it matters"

    def untold() -> list[str]:
        notices = {notice_of(CEW[0], doc_id): doc_id for doc_id in kept}
        rows = requests.post(
            f"{own_server.db_url()}/_all_docs", json={"keys": list(notices)}, auth=CEW, timeout=60
        ).json()["rows"]
        return [notices[row["key"]] for row in rows if "error" in row]

    eventually(lambda: untold() == [], what="a notice of every refusal")
