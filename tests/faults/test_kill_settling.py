"""kill -9 in the middle of a bulk resolution: each decision is whole, or was never made."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sync_server.demo.tablet import eventually
from tests.domain.conftest import household
from tests.serving import RunningServer

CASES = 300
SEED = int(os.environ.get("KILL_SEED", "1"))
LONGEST_WAIT = 1.0
"""Seconds from the call to the kill, at most."""


@pytest.fixture
def own_server() -> Iterator[RunningServer]:
    with RunningServer(web_workers="1") as running:
        yield running


def api(server: RunningServer, path: str, body: Any = None) -> Any:
    url = f"{server.url}/api/rushit/{path}"
    method = "GET" if body is None else "POST"
    answer = requests.request(method, url, json=body, auth=server.admin, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()


def push_conflicts(server: RunningServer) -> None:
    docs = [
        {
            "_id": f"household:{number:04d}",
            "_rev": path[0],
            "_revisions": {"start": len(path), "ids": [rev[2:] for rev in path]},
            **household(village=village),
        }
        for number in range(CASES)
        for path, village in (
            (["1-a"], "01020101"),
            (["2-b", "1-a"], "01020116"),
            (["2-c", "1-a"], "01020117"),
        )
    ]
    answer = requests.post(
        f"{server.db_url()}/_bulk_docs",
        json={"docs": docs, "new_edits": False},
        auth=server.admin,
        timeout=60,
    )
    assert answer.json() == []


def open_cases(server: RunningServer) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api(server, "cases?limit=500")["cases"]
    return found


def live_leaves(server: RunningServer) -> dict[str, int]:
    url = f"{server.db_url()}/_all_docs"
    body = {"keys": [f"household:{number:04d}" for number in range(CASES)]}
    rows = requests.post(
        url,
        params={"include_docs": "true", "conflicts": "true"},
        json=body,
        auth=server.admin,
        timeout=60,
    ).json()["rows"]
    return {row["id"]: 1 + len(row["doc"].get("_conflicts", [])) for row in rows}


def settle_all(server: RunningServer, cases: list[dict[str, Any]]) -> None:
    """What becomes of the answer does not matter: the server may die over it."""
    seen = [{"case": one["case"], "leaves": one["leaves"]} for one in cases]
    body = {"type": "household", "fields": ["village"], "rule": "winner", "cases": seen}
    try:
        api(server, "cases/decisions", body)
    except requests.RequestException:
        return


def is_whole(server: RunningServer) -> bool:
    """A document has two live leaves if its case is open, else one."""
    waiting = {one["document"] for one in open_cases(server)}
    leaves = live_leaves(server)
    return all(count == 1 + (doc_id in waiting) for doc_id, count in leaves.items())


@pytest.mark.timeout(280)
def test_a_bulk_resolution_that_is_killed_repairs_itself(own_server: RunningServer) -> None:
    push_conflicts(own_server)
    eventually(lambda: len(open_cases(own_server)) == CASES, seconds=60, what="all cases")
    moments = random.Random(SEED)
    kills = 0
    while cases := open_cases(own_server):
        call = threading.Thread(target=settle_all, args=(own_server, cases))
        call.start()
        if kills < 4:
            time.sleep(moments.uniform(0.1, LONGEST_WAIT))
            own_server.kill()
            call.join()
            own_server.start()
            kills += 1
        call.join()
        eventually(lambda: is_whole(own_server), seconds=60, what=f"whole cases, KILL_SEED={SEED}")
    assert set(live_leaves(own_server).values()) == {1}
    settled = api(own_server, "cases?state=settled&limit=500")["cases"]
    assert len(settled) == CASES
    for case in settled[:: CASES // 10]:
        (decision,) = api(own_server, f"cases/{case['case']}")["decisions"]
        assert (decision["by"], decision["written"]) == ("admin", True)
