"""Real tablets make cases, an admin settles them over the API, and the tablets come to agree."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from sync_server.demo.tablet import Remote, Tablet, eventually
from tests.domain.conftest import household
from tests.serving import RunningServer

MakeTablet = Callable[..., Tablet]
WAIT_SECONDS = 30


@pytest.fixture(scope="module")
def service() -> Iterator[RunningServer]:
    with RunningServer(web_workers="1") as running:
        for name in ("sok", "dara"):
            running.account(name, f"{name}-1234", ["cew"], ["rushit"], areas=["01"])
        yield running


@dataclass
class Worker:
    """A community extension worker with a tablet."""

    name: str
    tablet: Tablet
    remote: Remote

    def sync(self) -> None:
        self.tablet.sync(self.remote)

    def captured(self, day: int) -> dict[str, Any]:
        return {"device": f"tablet-{self.name}", "captured_at": f"2025-06-{day}T10:00:00+07:00"}

    def notices(self, doc_id: str) -> list[dict[str, Any]]:
        """What this worker was told of values of theirs that were not taken."""
        return [
            doc
            for doc in self.tablet.docs()
            if doc.get("kind") == "overridden"
            and (doc["document"], doc["account"]) == (doc_id, self.name)
        ]

    def is_told(self, doc_id: str, times: int = 1) -> bool:
        self.sync()
        return len(self.notices(doc_id)) == times

    def versions(self, doc_id: str) -> list[str]:
        """What the live leaves say, as this tablet has them."""
        leaves = self.tablet.state()[doc_id]["leaves"].values()
        return sorted(str(leaf["body"]) for leaf in leaves if not leaf["deleted"])


@pytest.fixture
def workers(service: RunningServer, tablet: MakeTablet) -> tuple[Worker, Worker]:
    sok, dara = (
        Worker(name, tablet(), Remote(service.db_url(), name, f"{name}-1234"))
        for name in ("sok", "dara")
    )
    return sok, dara


Workers = tuple[Worker, Worker]


def api(service: RunningServer, path: str, body: Any = None) -> requests.Response:
    url = f"{service.url}/api/rushit/{path}"
    method = "GET" if body is None else "POST"
    return requests.request(method, url, json=body, auth=service.admin, timeout=WAIT_SECONDS)


def cases(service: RunningServer, doc_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api(service, f"cases?document={doc_id}").json()["cases"]
    return found


def the_case(service: RunningServer, doc_id: str) -> dict[str, Any]:
    eventually(lambda: bool(cases(service, doc_id)), what="a case")
    (case,) = cases(service, doc_id)
    return case


def both_know(workers: Workers, count: int = 1) -> list[str]:
    """Households that are on both tablets; answers their ids."""
    sok, dara = workers
    docs = [{"_id": f"household:{uuid.uuid4()}", **household()} for _ in range(count)]
    sok.tablet.bulk(docs)
    sok.sync()
    dara.sync()
    return [str(doc["_id"]) for doc in docs]


def both_edit(workers: Workers, doc_ids: list[str], field: str, values: tuple[str, str]) -> None:
    """Both change the field of each document, Dara a day later, and sync."""
    for worker, value, day in zip(workers, values, (16, 17), strict=True):
        for doc_id in doc_ids:
            worker.tablet.edit(doc_id, **worker.captured(day), **{field: value})
    for worker in workers:
        worker.sync()


def agree(workers: Workers, doc_id: str, field: str, value: str) -> bool:
    """Both tablets show one live revision of this value."""
    for worker in workers:
        worker.sync()
    return all(
        worker.tablet.get(doc_id)[field] == value and len(worker.versions(doc_id)) == 1
        for worker in workers
    )


def test_a_case_of_two_tablets_is_settled_and_both_come_to_agree_and_the_loser_is_told(
    service: RunningServer, workers: Workers
) -> None:
    sok, dara = workers
    (doc_id,) = both_know(workers)
    both_edit(workers, [doc_id], "village", ("01020116", "01020117"))
    case = the_case(service, doc_id)
    shown = api(service, f"cases/{case['case']}").json()
    leaf = {one["account"]: one["rev"] for one in shown["versions"] if one["role"] == "leaf"}
    body = {"leaves": case["leaves"], "take": {"village": leaf["sok"]}}
    assert api(service, f"cases/{case['case']}/decision", body).status_code == 200
    eventually(lambda: agree(workers, doc_id, "village", "01020116"), what="one village")
    eventually(lambda: dara.is_told(doc_id), what="a notice")
    (notice,) = dara.notices(doc_id)
    (told,) = notice["fields"]
    assert (told["yours"], told["kept"], told["kept_by"]) == ("01020117", "01020116", "sok")
    assert notice["decided_by"] == "admin"
    # What Dara is told is on no other tablet.
    assert [doc for doc in sok.tablet.docs() if doc.get("kind") == "overridden"] == []


def test_a_value_that_a_policy_did_not_take_is_contested_on_the_tablet_and_wins(
    service: RunningServer, workers: Workers
) -> None:
    sok, dara = workers
    (doc_id,) = both_know(workers)
    both_edit(workers, [doc_id], "phone", ("+85511111111", "+85522222222"))
    eventually(lambda: agree(workers, doc_id, "phone", "+85522222222"), what="the later number")
    eventually(lambda: sok.is_told(doc_id), what="a notice")
    (notice,) = sok.notices(doc_id)
    sok.tablet.put(
        {
            "_id": f"contest:{uuid.uuid4()}",
            "type": "contest",
            "schema_version": 1,
            "author": "sok",
            "device_seq": 9,
            "notice": notice["_id"],
            "text": "I called the number.",
            **sok.captured(20),
        }
    )
    sok.sync()
    case = the_case(service, doc_id)
    assert case["reason"] == "contested"
    shown = api(service, f"cases/{case['case']}").json()
    assert [one["text"] for one in shown["contests"]] == ["I called the number."]
    (phone,) = [one for one in shown["fields"] if one["field"] == "phone"]
    assert set(phone["values"].values()) == {"+85511111111", "+85522222222"}
    body = {"leaves": case["leaves"], "rule": "author:sok"}
    assert api(service, f"cases/{case['case']}/decision", body).status_code == 200
    eventually(lambda: agree(workers, doc_id, "phone", "+85511111111"), what="the contested number")
    eventually(lambda: sok.is_told(doc_id, 0), what="the old notice to go")
    eventually(lambda: dara.is_told(doc_id), what="a notice")


def test_a_stale_decision_gets_409_and_says_what_a_tablet_has_changed(
    service: RunningServer, workers: Workers
) -> None:
    _, dara = workers
    (doc_id,) = both_know(workers)
    both_edit(workers, [doc_id], "village", ("01020116", "01020117"))
    case = the_case(service, doc_id)
    rev = dara.tablet.edit(doc_id, **dara.captured(18), members_total=9)
    dara.sync()
    body = {"leaves": case["leaves"], "rule": "latest"}
    answer = api(service, f"cases/{case['case']}/decision", body)
    assert answer.status_code == 409
    (change,) = answer.json()["changed"]
    assert (change["account"], change["rev"]) == ("dara", rev)
    assert "members_total" in [one["field"] for one in change["fields"]]


def test_a_hundred_cases_of_one_shape_are_settled_in_one_call_and_undoing_restores_the_tablets(
    service: RunningServer, workers: Workers
) -> None:
    sok, dara = workers
    doc_ids = both_know(workers, 100)
    both_edit(workers, doc_ids, "village", ("01020116", "01020117"))

    def ours() -> list[dict[str, Any]]:
        found = api(service, "cases?field=village&limit=500").json()["cases"]
        return [one for one in found if one["document"] in set(doc_ids)]

    eventually(lambda: len(ours()) == 100, what="a hundred cases")
    for worker in workers:
        worker.sync()
    before = {doc_id: sok.versions(doc_id) for doc_id in doc_ids}
    assert all(len(versions) == 2 for versions in before.values())
    seen = [{"case": one["case"], "leaves": one["leaves"]} for one in ours()]
    asked = {"type": "household", "fields": ["village"], "rule": "latest", "cases": seen}
    outcomes = api(service, "cases/decisions", asked).json()["outcomes"]
    assert {one["status"] for one in outcomes} == {200}
    eventually(
        lambda: all(agree(workers, doc_id, "village", "01020117") for doc_id in doc_ids[:1]),
        what="the later village",
    )
    for worker in workers:
        assert {worker.tablet.get(doc_id)["village"] for doc_id in doc_ids} == {"01020117"}
        assert all(len(worker.versions(doc_id)) == 1 for doc_id in doc_ids)
    outcomes = api(service, "cases/undo", {"cases": [one["case"] for one in seen]}).json()
    assert {one["status"] for one in outcomes["outcomes"]} == {200}
    for worker in workers:
        worker.sync()
        assert {doc_id: worker.versions(doc_id) for doc_id in doc_ids} == before
