"""The JSON API as coordinators' programs meet it: a real service, its worker, and HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
import requests

from tests.domain.conftest import household, proposal
from tests.serving import RunningServer

CEW, COORDINATOR, STRANGER = ("sok", "sok-1234"), ("bopha", "bopha-1234"), ("chan", "chan-1234")
WAIT_SECONDS = 30.0

T = TypeVar("T")


@pytest.fixture(scope="module")
def service() -> Iterator[RunningServer]:
    with RunningServer(web_workers="1") as running:
        running.account(*CEW, roles=["cew"], databases=["rushit"])
        running.account(*COORDINATOR, roles=["coordinator"], databases=["rushit"])
        running.account(*STRANGER)
        yield running


@pytest.fixture
def push(service: RunningServer) -> Callable[..., str]:
    """Push one document as a tablet does; answers its id."""

    def send(doc_id: str, rev: str = "1-a", **body: Any) -> str:
        document = {"_id": doc_id, "_rev": rev, **body}
        answer = requests.post(
            f"{service.db_url()}/_bulk_docs",
            json={"docs": [document], "new_edits": False},
            auth=CEW,
            timeout=WAIT_SECONDS,
        )
        assert (answer.status_code, answer.json()) == (201, [])
        return doc_id

    return send


@pytest.fixture
def waiting(service: RunningServer, push: Callable[..., str], request: Any) -> str:
    """The id of a proposal that came over the wire and that the worker put in the queue."""
    name = request.node.name
    push(f"household:{name}", **household())
    doc_id = push(f"proposal:{name}", **proposal(household=f"household:{name}"))
    until(lambda: review(service, doc_id).get("state") == "in_review")
    return doc_id


def until(holds: Callable[[], T]) -> T:
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := holds()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)
    return found


def review(service: RunningServer, doc_id: str) -> dict[str, Any]:
    """As the author's tablet pulls it; empty while there is none."""
    url = f"{service.db_url()}/review:{doc_id.partition(':')[2]}"
    answer = requests.get(url, auth=CEW, timeout=WAIT_SECONDS)
    found: dict[str, Any] = answer.json()
    return found if answer.status_code == 200 else {}


def api(service: RunningServer, path: str, **options: Any) -> requests.Response:
    options.setdefault("auth", COORDINATOR)
    method = "POST" if "json" in options or "data" in options else "GET"
    url = f"{service.url}/api/rushit/{path}"
    return requests.request(method, url, timeout=WAIT_SECONDS, **options)


def decision(doc_id: str, **changes: Any) -> dict[str, Any]:
    asked = {"proposal": doc_id, "rev": "1-a", "action": "approve", "amount_cents": 3600}
    return {"decisions": [{**asked, **changes}]}


def test_an_approval_reaches_the_tablet(service: RunningServer, waiting: str) -> None:
    answer = api(service, "decisions", json=decision(waiting, amount_cents=3000))
    assert answer.status_code == 200
    assert answer.json() == {
        "outcomes": [{"proposal": waiting, "status": 200, "state": "approved"}]
    }
    pulled = review(service, waiting)
    assert (pulled["state"], pulled["amount_cents"], pulled["revision"]) == (
        "approved",
        3000,
        "1-a",
    )


def test_a_proposal_is_shown_with_every_step_it_took(service: RunningServer, waiting: str) -> None:
    api(service, "decisions", json=decision(waiting, action="reject", reason="no water"))
    shown = api(service, f"proposals/{waiting}").json()
    assert (shown["state"], shown["author"], shown["reason"]) == ("rejected", "sok", "no water")
    assert [step["to_state"] for step in shown["history"]] == ["received", "in_review", "rejected"]
    assert shown["history"][-1]["actor"] == "bopha"


def test_the_queue_comes_in_pages_that_miss_nothing(
    service: RunningServer, push: Callable[..., str]
) -> None:
    push("household:paged", **household())
    pushed = {
        push(f"proposal:paged-{number}", **proposal(household="household:paged"))
        for number in range(7)
    }
    until(lambda: all(review(service, doc_id) for doc_id in pushed))
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        page = api(service, "queue", params=query).json()
        assert len(page["proposals"]) <= 3
        seen += [row["proposal"] for row in page["proposals"]]
        if page["next"] is None:
            break
        query["after"] = page["next"]
    assert len(seen) == len(set(seen))
    assert pushed <= set(seen)


def test_each_decision_of_a_batch_has_its_own_outcome(service: RunningServer, waiting: str) -> None:
    good, stale = decision(waiting)["decisions"], decision(waiting, rev="9-z")["decisions"]
    unknown = decision("proposal:nowhere")["decisions"]
    answer = api(service, "decisions", json={"decisions": [*stale, *unknown, *good]})
    outcomes = answer.json()["outcomes"]
    assert [outcome["status"] for outcome in outcomes] == [409, 404, 200]
    assert "1-a" in outcomes[0]["reason"]
    assert outcomes[1]["error"] == "not_found"


@pytest.mark.parametrize(
    ("auth", "status"), [(None, 401), (("bopha", "wrong"), 401), (CEW, 403), (STRANGER, 403)]
)
def test_a_decision_is_a_coordinators_of_this_database(
    service: RunningServer, waiting: str, auth: tuple[str, str] | None, status: int
) -> None:
    answers = [
        api(service, "decisions", json=decision(waiting), auth=auth),
        api(service, "queue", auth=auth),
        api(service, f"proposals/{waiting}", auth=auth),
    ]
    assert [answer.status_code for answer in answers] == [status] * 3
    assert all(answer.json().keys() == {"error", "reason"} for answer in answers)
    assert review(service, waiting)["state"] == "in_review"


def test_a_cookie_reads_but_does_not_decide(service: RunningServer, waiting: str) -> None:
    browser = requests.Session()
    name, password = COORDINATOR
    signed_in = browser.post(
        f"{service.url}/db/_session",
        json={"name": name, "password": password},
        timeout=WAIT_SECONDS,
    )
    assert signed_in.status_code == 200
    url = f"{service.url}/api/rushit"
    assert browser.get(f"{url}/queue", timeout=WAIT_SECONDS).status_code == 200
    refused = browser.post(f"{url}/decisions", json=decision(waiting), timeout=WAIT_SECONDS)
    assert refused.status_code == 401
    assert review(service, waiting)["state"] == "in_review"


@pytest.mark.parametrize("kind", ["review", "notice"])
def test_a_tablet_forges_nothing_that_the_server_says(
    service: RunningServer, waiting: str, kind: str
) -> None:
    doc_id = f"{kind}:{waiting.partition(':')[2]}"
    forged = {"_id": doc_id, "_rev": "9-f", "state": "approved", "amount_cents": 3600}
    good = {"_id": f"household:beside-{kind}", "_rev": "1-a", **household()}
    url = service.db_url()
    pushed = requests.post(
        f"{url}/_bulk_docs",
        json={"docs": [forged, good], "new_edits": False},
        auth=CEW,
        timeout=WAIT_SECONDS,
    )
    (row,) = pushed.json()
    assert (pushed.status_code, row["id"], row["error"]) == (201, doc_id, "forbidden")
    assert "Only the server" in row["reason"]
    told = review(service, waiting)
    named = f"?rev={told['_rev']}" if kind == "review" else ""
    for method, path in (("PUT", named), ("DELETE", named), ("PUT", f"/photo{named}")):
        answer = requests.request(
            method, f"{url}/{doc_id}{path}", data=b"{}", auth=CEW, timeout=WAIT_SECONDS
        )
        assert answer.status_code in ((403,) if kind == "review" else (403, 404)), method
    assert review(service, waiting) == told
    assert requests.get(f"{url}/{good['_id']}", auth=CEW, timeout=WAIT_SECONDS).ok


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"decisions": []},
        {"decisions": "all"},
        {"decisions": [{}]},
        decision("p", action="verify"),
        decision("p", amount_cents=0),
        decision("p", amount_cents="3600"),
        decision("p", amount_cents=36.5),
        decision("p", amount_cents=True),
        decision("p", state="approved"),
        {"decisions": decision("p")["decisions"] * 501},
        [],
    ],
)
def test_what_is_no_decision_is_refused_and_says_why(service: RunningServer, payload: Any) -> None:
    answer = api(service, "decisions", json=payload)
    assert answer.status_code == 400
    assert answer.json()["error"] == "bad_request"
    assert answer.json()["reason"].startswith("Check what was sent: ")


@pytest.mark.parametrize("body", ["", "{", "NaN", '{"decisions": [', b"\xff\xfe"])
def test_a_body_that_is_no_json_is_refused(service: RunningServer, body: str | bytes) -> None:
    answer = api(service, "decisions", data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"] == "bad_request"


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "after=zzz", "color=red"])
def test_a_query_that_means_nothing_is_refused(service: RunningServer, query: str) -> None:
    answer = api(service, f"queue?{query}")
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_request")


def test_what_is_not_there_is_not_found(service: RunningServer) -> None:
    assert api(service, "proposals/proposal:nowhere").status_code == 404
    elsewhere = requests.get(
        f"{service.url}/api/nowhere/queue", auth=service.admin, timeout=WAIT_SECONDS
    )
    assert elsewhere.status_code == 404


def test_the_api_describes_itself(service: RunningServer) -> None:
    described = requests.get(f"{service.url}/api/openapi.json", timeout=WAIT_SECONDS).json()
    assert described["openapi"].startswith("3.")
    assert described["paths"].keys() >= {
        "/api/{database}/queue",
        "/api/{database}/proposals/{proposal}",
        "/api/{database}/decisions",
        "/api/{database}/quarantine",
        "/api/{database}/quarantine/{number}",
        "/api/{database}/quarantine/{number}/attachments/{name}",
        "/api/{database}/quarantine/{number}/adopt",
        "/api/{database}/quarantine/{number}/reassign",
        "/api/{database}/quarantine/{number}/return",
        "/api/{database}/quarantine/{number}/discard",
        "/api/audit",
    }
