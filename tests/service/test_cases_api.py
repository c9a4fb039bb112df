"""Cases over the JSON API: a real service, its worker, and HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.domain.conftest import household
from tests.service.test_api import WAIT_SECONDS, until
from tests.serving import RunningServer

SOK, DARA = ("sok", "sok-1234"), ("dara", "dara-1234")
COORDINATOR, ELSEWHERE = ("bopha", "bopha-1234"), ("chan", "chan-1234")

Api = Callable[..., requests.Response]


@pytest.fixture(scope="module")
def service() -> Iterator[RunningServer]:
    with RunningServer(web_workers="1") as running:
        for person in (SOK, DARA):
            running.account(*person, roles=["cew"], databases=["rushit"])
        running.account(*COORDINATOR, roles=["coordinator"], databases=["rushit"])
        running.account(*ELSEWHERE, roles=["coordinator"], databases=["rushit"], areas=["02"])
        yield running


@pytest.fixture
def api(service: RunningServer) -> Api:
    def call(path: str, **options: Any) -> requests.Response:
        options.setdefault("auth", service.admin)
        method = "POST" if "json" in options or "data" in options else "GET"
        url = f"{service.url}/api/rushit/{path}"
        return requests.request(method, url, timeout=WAIT_SECONDS, **options)

    return call


@pytest.fixture
def push(service: RunningServer) -> Callable[..., None]:
    def send(doc_id: str, path: str, auth: tuple[str, str], **body: Any) -> None:
        """`path`: `2-b 1-a`."""
        revs = path.split()
        revisions = {
            "start": int(revs[0].split("-")[0]),
            "ids": [rev.split("-")[1] for rev in revs],
        }
        document = {"_id": doc_id, "_rev": revs[0], "_revisions": revisions, **body}
        answer = requests.post(
            f"{service.db_url()}/_bulk_docs",
            json={"docs": [document], "new_edits": False},
            auth=auth,
            timeout=WAIT_SECONDS,
        )
        assert (answer.status_code, answer.json()) == (201, [])

    return send


@pytest.fixture
def opened(api: Api, push: Callable[..., None]) -> Callable[..., dict[str, Any]]:
    """Two people edit a household at once, and the worker opens a case; answers it."""

    def make(**changes: Any) -> dict[str, Any]:
        doc_id = f"household:{uuid.uuid4().hex[:8]}"
        push(doc_id, "1-a", SOK, **household())
        push(doc_id, "2-b 1-a", SOK, **household(village="01020116", **changes))
        push(doc_id, "2-c 1-a", DARA, **household(village="01020117", author="sok"))
        found = until(lambda: api(f"cases?document={doc_id}").json()["cases"])
        case: dict[str, Any] = found[0]
        return case

    return make


Opened = Callable[..., dict[str, Any]]


def live(service: RunningServer, doc_id: str) -> dict[str, Any]:
    url = f"{service.db_url()}/{doc_id}?conflicts=true"
    found: dict[str, Any] = requests.get(url, auth=service.admin, timeout=WAIT_SECONDS).json()
    return found


def test_a_case_is_shown_field_by_field_with_labels_in_both_languages(
    api: Api, opened: Opened
) -> None:
    case = opened(phone="+85511111111")
    shown = api(f"cases/{case['case']}", auth=COORDINATOR).json()
    assert shown["in_question"] == [{"field": "village", "label_en": "Village", "label_km": "ភូមិ"}]
    by_name = {one["field"]: one for one in shown["fields"]}
    village = by_name["village"]
    assert (village["base"], village["values"]) == (
        "01020101",
        {"2-b": "01020116", "2-c": "01020117"},
    )
    assert (village["policy"], village["in_question"]) == ("manual", True)
    assert village["writers"] == {"2-b": "sok", "2-c": "dara"}
    assert "policy_chooses" not in village
    assert by_name["phone"]["policy_chooses"] == "+85511111111"
    versions = {one["rev"]: one for one in shown["versions"]}
    assert {one["role"] for one in versions.values()} == {"leaf", "base"}
    assert (versions["2-c"]["account"], versions["2-c"]["winner"]) == ("dara", True)
    assert versions["2-c"]["captured_at"] == 1_749_956_400_000
    assert versions["2-c"]["received_at"] > versions["2-c"]["captured_at"]


def test_attachments_stand_side_by_side_with_the_address_of_each_content(
    service: RunningServer, api: Api, push: Callable[..., None]
) -> None:
    doc_id = f"household:{uuid.uuid4().hex[:8]}"
    push(doc_id, "1-a", SOK, **household())
    for path, auth, data in (("2-b 1-a", SOK, "c29r"), ("2-c 1-a", DARA, "ZGFyYQ==")):
        files = {"face é.jpg": {"content_type": "image/jpeg", "data": data}}
        push(doc_id, path, auth, **household(), _attachments=files)
    (case,) = until(lambda: api(f"cases?document={doc_id}").json()["cases"])
    shown = api(f"cases/{case['case']}").json()
    contents = {}
    for version in shown["versions"]:
        for about in version["attachments"].values():
            url = service.url + about["url"]
            answer = requests.get(url, auth=service.admin, timeout=WAIT_SECONDS)
            contents[version["rev"]] = answer.content
    assert contents == {"2-b": b"sok", "2-c": b"dara"}
    taken = {"_attachments/face é.jpg": "2-b"}
    answer = api(f"cases/{case['case']}/decision", json={"leaves": case["leaves"], "take": taken})
    assert answer.status_code == 200
    url = f"{service.db_url()}/{doc_id}/face%20%C3%A9.jpg"
    assert requests.get(url, auth=service.admin, timeout=WAIT_SECONDS).content == b"sok"


def test_a_decision_becomes_the_document_and_is_on_record(
    service: RunningServer, api: Api, opened: Opened
) -> None:
    case = opened()
    body = {"leaves": case["leaves"], "take": {"village": "2-b"}, "reason": "asked the head"}
    answer = api(f"cases/{case['case']}/decision", json=body)
    assert answer.status_code == 200
    document = live(service, case["document"])
    assert (document["_rev"], document["village"]) == (answer.json()["rev"], "01020116")
    assert "_conflicts" not in document
    (decision,) = api(f"cases/{case['case']}").json()["decisions"]
    assert (decision["by"], decision["rev"], decision["written"]) == (
        "admin",
        document["_rev"],
        True,
    )
    assert decision["how"] == {"take": {"village": "2-b"}, "reason": "asked the head"}
    assert decision["leaves"] == case["leaves"]


def test_a_stale_decision_gets_409_and_says_what_changed(
    api: Api, opened: Opened, push: Callable[..., None]
) -> None:
    case = opened()
    edited = household(village="01020118", author="sok", members_total=9)
    push(case["document"], "3-d 2-c 1-a", DARA, **edited)
    body = {"leaves": case["leaves"], "take": {"village": "2-b"}}
    answer = api(f"cases/{case['case']}/decision", json=body)
    assert answer.status_code == 409
    told = answer.json()
    assert told["error"] == "conflict"
    (change,) = told["changed"]
    assert (change["rev"], change["account"]) == ("3-d", "dara")
    assert [one["field"] for one in change["fields"]] == ["members_total", "village"]
    assert sorted(told["leaves"]) == ["2-b", "3-d"]
    assert "dara changed members_total, village" in told["reason"]


def test_a_result_that_fails_its_schema_is_named_field_by_field(api: Api, opened: Opened) -> None:
    case = opened()
    body = {"leaves": case["leaves"], "set": {"village": "12", "phone": "012"}}
    answer = api(f"cases/{case['case']}/decision", json=body)
    assert answer.status_code == 400
    assert [one["field"] for one in answer.json()["problems"]] == ["phone", "village"]


@pytest.mark.parametrize(
    "body",
    [
        '{"leaves": ["2-b"], "set": {"x": NaN}}',
        '{"leaves": ["2-b"], "set": {"x": 18446744073709551616}}',
        '{"leaves": ["2-b"], "set": {"x": "\\ud800"}}',
        '{"leaves": ["2-b"], "rule": "best"}',
        '{"leaves": ["2-b"], "delete": "yes"}',
        '{"leaves": ["2-b"], "whatever": 1}',
        '{"take": {"village": "2-b"}}',
    ],
)
def test_a_decision_that_is_not_well_formed_is_refused(api: Api, opened: Opened, body: str) -> None:
    case = opened()
    answer = api(
        f"cases/{case['case']}/decision", data=body, headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_request")


def test_only_admins_settle_and_undo(api: Api, opened: Opened) -> None:
    case = opened()
    number = case["case"]
    body = {"leaves": case["leaves"], "take": {"village": "2-b"}}
    many = {"type": "household", "fields": ["village"], "rule": "latest"}
    for path, sent in (
        (f"cases/{number}/decision", body),
        (f"cases/{number}/undo", {}),
        ("cases/decisions", {**many, "cases": [{"case": number, "leaves": case["leaves"]}]}),
        ("cases/undo", {"cases": [number]}),
    ):
        assert api(path, json=sent, auth=COORDINATOR).status_code == 403
        assert api(path, json=sent, auth=SOK).status_code == 403
        assert api(path, json=sent, auth=None).status_code == 401
    assert api(f"cases/{number}").json()["state"] == "open"


def test_a_coordinator_sees_the_cases_of_their_areas_alone(
    service: RunningServer, api: Api, opened: Opened
) -> None:
    case = opened()
    assert api(f"cases/{case['case']}", auth=COORDINATOR).status_code == 200
    assert api("cases", auth=COORDINATOR).json()["cases"] != []
    assert api(f"cases/{case['case']}", auth=ELSEWHERE).status_code == 404
    assert api("cases", auth=ELSEWHERE).json()["cases"] == []
    assert api("cases/shapes", auth=ELSEWHERE).json()["shapes"] == []
    assert api("cases?area=01", auth=ELSEWHERE).json()["cases"] == []
    assert api("cases", auth=SOK).status_code == 403


def test_cases_are_found_by_what_they_are_about(api: Api, opened: Opened) -> None:
    case = opened()
    doc = f"document={case['document']}"

    def found(query: str) -> list[int]:
        return [one["case"] for one in api(f"cases?{doc}&{query}").json()["cases"]]

    mine = [case["case"]]
    for query in (
        "type=household",
        "field=village",
        "author=sok",
        "author=dara",
        "reason=fields",
        "state=open",
        "state=all",
        "older_than_days=0",
    ):
        assert found(query) == mine, query
    for query in (
        "type=proposal",
        "field=phone",
        "author=bopha",
        "reason=no_base",
        "state=settled",
        "older_than_days=1",
        "area=02",
    ):
        assert found(query) == [], query
    assert api("cases?felid=village").status_code == 400


def test_cases_come_in_pages_that_miss_nothing(api: Api, opened: Opened) -> None:
    for _ in range(3):
        opened()
    every = [one["case"] for one in api("cases?limit=500").json()["cases"]]
    seen: list[int] = []
    after = 0
    while after is not None:
        page = api(f"cases?limit=2&after={after}").json()
        seen += [one["case"] for one in page["cases"]]
        after = page["next"]
    assert seen == every
    assert api("cases?after=zzz").status_code == 400


def test_many_of_one_shape_are_settled_in_one_call_and_undone_in_one(
    service: RunningServer, api: Api, opened: Opened
) -> None:
    found = [opened() for _ in range(5)]
    numbers = [one["case"] for one in found]
    shapes = api("cases/shapes").json()["shapes"]
    ours = next(one for one in shapes if [f["field"] for f in one["in_question"]] == ["village"])
    assert ours["cases"] >= 5
    asked = {
        "type": "household",
        "fields": ["village"],
        "rule": "author:sok",
        "cases": [{"case": one["case"], "leaves": one["leaves"]} for one in found]
        + [{"case": 10**6, "leaves": []}],
    }
    outcomes = api("cases/decisions", json=asked).json()["outcomes"]
    assert [one["status"] for one in outcomes] == [200] * 5 + [404]
    assert {live(service, one["document"])["village"] for one in found} == {"01020116"}
    outcomes = api("cases/undo", json={"cases": numbers}).json()["outcomes"]
    assert [one["status"] for one in outcomes] == [200] * 5
    assert all(len(live(service, one["document"])["_conflicts"]) == 1 for one in found)
    assert {api(f"cases/{number}").json()["state"] for number in numbers} == {"open"}


def test_cases_of_another_shape_are_left_alone(api: Api, opened: Opened) -> None:
    case = opened()
    asked = {
        "type": "household",
        "fields": ["village", "phone"],
        "rule": "latest",
        "cases": [{"case": case["case"], "leaves": case["leaves"]}],
    }
    (outcome,) = api("cases/decisions", json=asked).json()["outcomes"]
    assert (outcome["status"], outcome["error"]) == (409, "conflict")


def test_undoing_a_document_that_has_moved_on_gets_409_and_says_how(
    service: RunningServer, api: Api, opened: Opened, push: Callable[..., None]
) -> None:
    case = opened()
    number = case["case"]
    body = {"leaves": case["leaves"], "take": {"village": "2-b"}}
    rev = api(f"cases/{number}/decision", json=body).json()["rev"]
    edited = household(village="01020116", author="sok", members_total=9)
    push(case["document"], f"4-x {rev} 2-c 1-a", DARA, **edited)
    answer = api(f"cases/{number}/undo", json={})
    assert answer.status_code == 409
    (change,) = answer.json()["changed"]
    assert (change["rev"], change["account"]) == ("4-x", "dara")
    assert [one["field"] for one in change["fields"]] == ["members_total"]


def test_a_cookie_alone_settles_nothing(service: RunningServer, api: Api, opened: Opened) -> None:
    case = opened()
    name, password = service.admin
    session = requests.post(
        f"{service.url}/db/_session", data={"name": name, "password": password}, timeout=30
    )
    cookies = dict(session.cookies)
    assert api(f"cases/{case['case']}", auth=None, cookies=cookies).status_code == 200
    body = {"leaves": case["leaves"], "take": {"village": "2-b"}}
    answer = api(f"cases/{case['case']}/decision", json=body, auth=None, cookies=cookies)
    assert answer.status_code == 401


def test_the_cases_are_described_in_openapi(service: RunningServer) -> None:
    url = f"{service.url}/api/openapi.json"
    paths = requests.get(url, timeout=WAIT_SECONDS).json()["paths"]
    assert {path for path in paths if "/cases" in path} == {
        "/api/{database}/cases",
        "/api/{database}/cases/shapes",
        "/api/{database}/cases/{number}",
        "/api/{database}/cases/{number}/decision",
        "/api/{database}/cases/{number}/undo",
        "/api/{database}/cases/decisions",
        "/api/{database}/cases/undo",
    }
