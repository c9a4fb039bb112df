"""What a real service refuses, keeps and tells, over HTTP: tablets push, admins settle."""

from __future__ import annotations

import base64
import itertools
import json
import os
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests

from sync_server.quarantine.telling import notice_of
from sync_server.sql import open_engine
from sync_server.storage.departures import departure_of
from tests.domain.conftest import household, proposal
from tests.office import open_office
from tests.places import add_places
from tests.serving import RunningServer

SOK, BOPHA = ("sok", "sok-12345"), ("bopha", "bopha-12345")
DARA, CHAN = ("dara", "dara-12345"), ("chan", "chan-12345")
MIRROR = ("mirror", "mirror-12345")
HOME, AWAY = "02030101", "03010101"
SECONDS = 30.0

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def service() -> Iterator[RunningServer]:
    with RunningServer(web_workers="1", resolve_sweep_seconds="1") as running:
        sql = open_engine(f"sqlite:///{running.data_dir / 'service.db'}")
        add_places(sql, running.data_dir)
        sql.dispose()
        running.account(*SOK, roles=["cew"], databases=["rushit"], areas=["020301"])
        running.account(*BOPHA, roles=["cew"], databases=["rushit"], areas=["030101"])
        running.account(*DARA, roles=["coordinator"], databases=["rushit"], areas=["02"])
        running.account(*CHAN, roles=["coordinator"], databases=["rushit"], areas=["03"])
        running.account(*MIRROR, roles=["replicator"], databases=["rushit"])
        yield running


@pytest.fixture
def name() -> str:
    return f"n{next(_numbers)}"


def send(
    service: RunningServer,
    *documents: dict[str, Any],
    auth: tuple[str, str] = SOK,
    new_edits: bool = False,
) -> list[dict[str, Any]]:
    """`_bulk_docs`; answers the rows."""
    answer = requests.post(
        f"{service.db_url()}/_bulk_docs",
        json={"docs": documents, "new_edits": new_edits},
        auth=auth,
        timeout=SECONDS,
    )
    assert answer.status_code == 201, answer.text
    rows: list[dict[str, Any]] = answer.json()
    return rows


def call(
    service: RunningServer, method: str, path: str, auth: tuple[str, str] = SOK, **options: Any
) -> requests.Response:
    return requests.request(
        method, f"{service.db_url()}/{path}", auth=auth, timeout=SECONDS, **options
    )


def api(
    service: RunningServer, path: str, auth: tuple[str, str] | None = None, **options: Any
) -> requests.Response:
    method = "POST" if "json" in options else "GET"
    return requests.request(
        method,
        f"{service.url}/api/{path}",
        auth=auth or service.admin,
        timeout=SECONDS,
        **options,
    )


def entries(service: RunningServer, doc_id: str, **query: Any) -> list[dict[str, Any]]:
    """Entries of a document, as an admin sees them."""
    page = api(service, "rushit/quarantine", params={"limit": 500, **query}).json()
    return [entry for entry in page["entries"] if entry["doc_id"] == doc_id]


def kept(service: RunningServer, doc_id: str) -> dict[str, Any]:
    """The only entry of a document, shown whole."""
    (entry,) = entries(service, doc_id)
    shown: dict[str, Any] = api(service, f"rushit/quarantine/{entry['number']}").json()
    return shown


def notice(
    service: RunningServer, doc_id: str, author: tuple[str, str] = SOK
) -> dict[str, Any] | None:
    answer = call(service, "GET", notice_of(author[0], doc_id), author)
    return answer.json() if answer.ok else None


def until(holds: Any) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (found := holds()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)
    return found


def sent(doc_id: str, rev: str = "1-a", **members: Any) -> dict[str, Any]:
    return {"_id": doc_id, "_rev": rev, **members}


def registered(doc_id: str, rev: str = "1-a", **changes: Any) -> dict[str, Any]:
    return sent(doc_id, rev, **household(**{"village": HOME, **changes}))


FORGED = {
    "server": lambda name: sent(f"review:{name}", "9-f", type="review", state="approved"),
    "design": lambda name: sent(f"_design/{name}", validate_doc_update="function () {}"),
    "type": lambda name: sent(f"catalogue:{name}", type="catalogue", author="sok"),
    "prefix": lambda name: sent(f"household:{name}", **proposal()),
    "outside": lambda name: registered(f"household:{name}", village=AWAY),
    "generation": lambda name: registered(f"household:{name}", "5000-a"),
    "author": lambda name: registered(f"household:{name}", author="bopha"),
}


@pytest.mark.parametrize("reason", FORGED)
def test_what_is_forged_is_refused_alone_and_kept_as_it_came(
    service: RunningServer, name: str, reason: str
) -> None:
    photo = os.urandom(3000)
    forged = FORGED[reason](name)
    rev = forged["_rev"]
    start, _, rev_id = rev.partition("-")
    described = {"content_type": "image/jpeg", "revpos": 1, "digest": "md5-x"}
    attachments = {
        "front.jpg": {**described, "data": base64.b64encode(photo).decode()},
        "back.jpg": {**described, "stub": True},
    }
    forged |= {
        "_revisions": {"start": int(start), "ids": [rev_id]},
        "_attachments": attachments,
        "_conflicts": ["1-x"],
    }
    good = registered(f"household:{name}-beside")
    (row,) = send(service, forged, good)
    assert (row["id"], row["rev"], row["error"]) == (forged["_id"], rev, "forbidden")
    assert "kept" in row["reason"] and "រក្សាទុក" in row["reason"]
    assert call(service, "GET", f"household:{name}-beside").ok
    assert call(service, "GET", quote(forged["_id"]), service.admin).status_code == 404

    shown = kept(service, forged["_id"])
    without_data = {**attachments, "front.jpg": described}
    assert shown["document"] == {**forged, "_attachments": without_data}
    assert (shown["reason"], shown["account"], shown["state"]) == (reason, "sok", "kept")
    assert shown["text_en"] in row["reason"] and shown["text_km"] in row["reason"]
    front = api(service, f"rushit/quarantine/{shown['number']}/attachments/front.jpg")
    assert (front.content, front.headers["Content-Type"]) == (photo, "image/jpeg")
    assert front.headers["Content-Security-Policy"] == "sandbox"
    back = api(service, f"rushit/quarantine/{shown['number']}/attachments/back.jpg")
    assert back.status_code == 404

    told = notice(service, forged["_id"])
    assert told is not None
    assert (told["kind"], told["document"], told["reason"]) == (
        "quarantined",
        forged["_id"],
        reason,
    )
    assert notice(service, forged["_id"], BOPHA) is None
    assert call(service, "GET", notice_of("sok", forged["_id"]), BOPHA).status_code == 404


def test_an_edit_of_a_foreign_document_is_refused_and_looks_like_any_foreign_area(
    service: RunningServer, name: str
) -> None:
    doc_id = f"household:{name}"
    assert send(service, registered(doc_id, village=AWAY, author="bopha"), auth=BOPHA) == []
    stolen = sent(doc_id, "2-b", **household(village=HOME))
    stolen["_revisions"] = {"start": 2, "ids": ["b", "a"]}
    (row,) = send(service, stolen)
    (elsewhere,) = send(service, registered(f"{doc_id}-new", village=AWAY))
    assert row["error"] == elsewhere["error"] == "forbidden"
    assert row["reason"] == elsewhere["reason"]
    assert (kept(service, doc_id)["reason"], kept(service, doc_id)["told"]) == ("taken", "outside")
    told = notice(service, doc_id)
    assert told is not None and told["reason"] == "outside"
    assert call(service, "GET", doc_id, BOPHA).json()["_rev"] == "1-a"


def test_a_stub_never_takes_what_a_foreign_document_has(service: RunningServer, name: str) -> None:
    doc_id = f"household:{name}"
    photo = {"content_type": "text/plain", "data": base64.b64encode(b"secret").decode()}
    mine = {**registered(doc_id, village=AWAY, author="bopha"), "_attachments": {"a": photo}}
    assert send(service, mine, auth=BOPHA) == []
    stub = {"content_type": "text/plain", "stub": True}
    probe = sent(doc_id, "2-b", **household(village=HOME), _attachments={"a": stub})
    probe["_revisions"] = {"start": 2, "ids": ["b", "a"]}
    (row,) = send(service, probe)
    assert row["error"] == "forbidden"
    number = kept(service, doc_id)["number"]
    assert api(service, f"rushit/quarantine/{number}/attachments/a").status_code == 404


def test_an_edit_with_a_revision_of_a_foreign_document_looks_like_one_of_nothing(
    service: RunningServer, name: str
) -> None:
    there, nowhere = f"household:{name}", f"household:{name}-nowhere"
    send(service, registered(there, village=AWAY, author="bopha"), auth=BOPHA)
    for body in (household(village=HOME), household(village=AWAY)):
        answers = [
            call(service, "PUT", f"{doc_id}?rev=1-a", json=body) for doc_id in (there, nowhere)
        ]
        assert answers[0].status_code == answers[1].status_code
        assert answers[0].json() == answers[1].json()


def test_an_edit_that_keeps_its_author_is_taken_and_one_that_changes_him_is_not(
    service: RunningServer, name: str
) -> None:
    doc_id = f"household:{name}"
    mine = registered(doc_id, members_total=5, author="mate")
    assert send(service, mine, auth=service.admin) == []
    edit = {**mine, "_rev": "2-b", "_revisions": {"start": 2, "ids": ["b", "a"]}}
    assert send(service, {**edit, "members_total": 6}) == []
    taken_over = {**edit, "_rev": "3-c", "author": "sok"}
    taken_over["_revisions"] = {"start": 3, "ids": ["c", "b", "a"]}
    (row,) = send(service, taken_over)
    assert (row["error"], kept(service, doc_id)["reason"]) == ("forbidden", "author")
    silent = {key: value for key, value in taken_over.items() if key != "author"}
    assert (
        send(service, {**silent, "_rev": "3-d", "_revisions": {"start": 3, "ids": list("dba")}})
        == []
    )


def test_what_merely_fails_its_schema_is_stored(service: RunningServer, name: str) -> None:
    doc_id = f"household:{name}"
    assert send(service, sent(doc_id, type="household", village=HOME, members_total="many")) == []
    assert call(service, "GET", doc_id).json()["members_total"] == "many"
    assert entries(service, doc_id) == []


def test_a_malformed_revision_refuses_the_batch_and_keeps_nothing(
    service: RunningServer, name: str
) -> None:
    forged = sent(f"review:{name}", "1-a")
    for broken in ({"_rev": "one"}, {"_rev": "1-a", "_revisions": {"start": 0, "ids": []}}):
        answer = requests.post(
            f"{service.db_url()}/_bulk_docs",
            json={"docs": [forged, {"_id": f"household:{name}", **broken}], "new_edits": False},
            auth=SOK,
            timeout=SECONDS,
        )
        assert answer.status_code == 400
    assert entries(service, f"review:{name}") == []


def test_the_same_again_is_counted(service: RunningServer, name: str) -> None:
    forged = sent(f"review:{name}", "1-a", type="review")
    first, second = send(service, forged), send(service, forged)
    assert first == second
    (entry,) = entries(service, f"review:{name}")
    assert entry["times"] == 2


def test_what_its_sender_has_let_go_is_no_news(service: RunningServer, name: str) -> None:
    """A departure that was told, and a revision that the sender sees, come back as success."""
    doc_id = f"household:{name}"
    send(service, registered(doc_id))
    feed = call(service, "GET", "_changes?since=0").json()
    moved = registered(doc_id, "2-b", village=AWAY)
    moved["_revisions"] = {"start": 2, "ids": ["b", "a"]}
    assert send(service, moved, auth=service.admin) == []
    until(lambda: call(service, "GET", doc_id, BOPHA).ok)
    changes = call(service, "GET", f"_changes?since={feed['last_seq']}").json()["results"]
    (gone,) = [row for row in changes if row["id"] == doc_id]
    assert gone["deleted"]
    rev = gone["changes"][0]["rev"]
    assert call(service, "POST", "_revs_diff", json={doc_id: [rev]}).json() == {}
    tombstone = sent(doc_id, rev, _deleted=True)
    assert send(service, tombstone) == []
    assert entries(service, doc_id) == []
    made_up = departure_of(doc_id, "1-zzz")
    (refused,) = send(service, sent(doc_id, made_up, _deleted=True))
    assert refused["error"] == "forbidden"


# -- single writes -------------------------------------------------------------


def test_every_way_to_write_one_document_keeps_what_it_refuses(
    service: RunningServer, name: str
) -> None:
    away = f"household:{name}"
    send(service, registered(f"{away}-mine", area_note="x"))
    source = f"{away}-mine"
    body = household(village=AWAY)
    ways: dict[str, tuple[str, str, dict[str, Any]]] = {
        f"{away}-put": ("PUT", f"{away}-put", {"json": body}),
        f"{away}-graft": (
            "PUT",
            f"{away}-graft?new_edits=false",
            {"json": {"_rev": "1-a", **body}},
        ),
        f"{away}-post": ("POST", "", {"json": {"_id": f"{away}-post", **body}}),
        f"review:{name}-copy": (
            "COPY",
            source,
            {"headers": {"Destination": f"review:{name}-copy"}},
        ),
        f"review:{name}-file": (
            "PUT",
            f"review:{name}-file/a.txt",
            {"data": b"bytes", "headers": {"Content-Type": "text/plain"}},
        ),
    }
    for doc_id, (method, path, options) in ways.items():
        answer = call(service, method, path, **options)
        assert (answer.status_code, answer.json()["error"]) == (403, "forbidden"), doc_id
        shown = kept(service, doc_id)
        assert shown["document"]["_id"] == doc_id
        assert notice(service, doc_id) is not None
    assert kept(service, f"{away}-put")["document"] == {"_id": f"{away}-put", **body}
    copied = kept(service, f"review:{name}-copy")
    assert copied["document"]["area_note"] == "x"
    filed = kept(service, f"review:{name}-file")
    content = api(service, f"rushit/quarantine/{filed['number']}/attachments/a.txt")
    assert content.content == b"bytes"


def test_deleting_what_one_may_only_read_keeps_the_deletion(
    service: RunningServer, name: str
) -> None:
    doc_id = f"catalogue:{name}"
    send(service, sent(doc_id, type="catalogue"), auth=service.admin)
    assert call(service, "GET", doc_id).ok
    refused = call(service, "DELETE", f"{doc_id}?rev=1-a")
    assert refused.status_code == 403
    shown = kept(service, doc_id)
    assert shown["document"] == {"_id": doc_id, "_rev": "1-a", "_deleted": True}
    assert (shown["deleted"], shown["is_edit"]) == (True, True)
    assert call(service, "GET", doc_id).ok


def test_with_new_edits_a_refusal_stands_in_its_row(service: RunningServer, name: str) -> None:
    good, bad = f"household:{name}", f"household:{name}-away"
    rows = send(
        service,
        {"_id": bad, **household(village=AWAY)},
        {"_id": good, **household(village=HOME)},
        {"_id": f"_local/{name}", "x": 1},
        new_edits=True,
    )
    assert [row["id"] for row in rows] == [bad, good, f"_local/{name}"]
    assert ("error" in rows[0], rows[1].get("ok"), rows[2].get("ok")) == (True, True, True)
    assert kept(service, bad)["rev"] is None


def test_a_replicator_is_refused_what_is_the_servers_and_that_is_kept(
    service: RunningServer, name: str
) -> None:
    forged = sent(f"notice:{name}", type="notice", document="household:x")
    foreign = registered(f"household:{name}", village=AWAY, author="anyone")
    (row,) = send(service, forged, foreign, auth=MIRROR)
    assert (row["id"], row["error"]) == (forged["_id"], "forbidden")
    assert kept(service, forged["_id"])["account"] == "mirror"
    assert notice(service, forged["_id"], MIRROR) is not None
    assert call(service, "GET", f"household:{name}", BOPHA).ok


def test_refusals_are_counted_by_reason(service: RunningServer, name: str) -> None:
    def count() -> float:
        text = requests.get(f"{service.url}/metrics", timeout=SECONDS).text
        lines = [one for one in text.splitlines() if one.startswith("sync_writes_refused_total{")]
        return sum(float(one.rpartition(" ")[2]) for one in lines if 'reason="server"' in one)

    before = count()
    send(service, sent(f"review:{name}"), sent(f"review:{name}-2"))
    assert count() == before + 2


# -- an ended grant ------------------------------------------------------------


def test_after_the_end_of_a_grant_what_was_captured_before_still_comes(
    service: RunningServer, name: str
) -> None:
    account = (f"mate-{name}", "mate-12345")
    service.account(*account, roles=["cew"], databases=["rushit"], areas=["020301"])
    ended = time.time_ns() // 1_000_000
    with open_office(service) as office:
        (grant,) = office.parts.grants.of(account[0])
        office.parts.grants.end(grant.number, ended)
    before = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(ended / 1000 - 60))
    after = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(ended / 1000 + 3600))
    rows = send(
        service,
        registered(f"household:{name}", author=account[0], captured_at=before),
        registered(f"household:{name}-late", author=account[0], captured_at=after),
        auth=account,
    )
    assert [row["id"] for row in rows] == [f"household:{name}-late"]
    assert call(service, "GET", f"household:{name}", SOK).ok
    assert call(service, "GET", f"household:{name}", account).status_code == 404
    assert kept(service, f"household:{name}-late")["reason"] == "ended"
    assert notice(service, f"household:{name}-late", account) is not None


# -- a tablet that was lost ------------------------------------------------------


def test_what_was_captured_before_a_lost_tablet_was_enrolled_again_waits_for_an_admin(
    service: RunningServer, name: str
) -> None:
    device = f"tablet-{name}"
    token = service.command("account", "token", "sok", device).strip()

    def push(doc_id: str, token: str, captured_at: float) -> requests.Response:
        said = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(captured_at))
        return requests.post(
            f"{service.db_url()}/_bulk_docs",
            json={"docs": [registered(doc_id, captured_at=said)], "new_edits": False},
            headers={"Authorization": f"Bearer {token}"},
            timeout=SECONDS,
        )

    lost = time.time() - 60
    assert push(f"household:{name}-first", token, lost).json() == []
    service.command("account", "token", "sok", device, "--revoke")
    assert push(f"household:{name}-late", token, lost).status_code == 401
    again = service.command("account", "token", "sok", device).strip()
    (row,) = push(f"household:{name}-late", again, lost).json()
    assert row["error"] == "forbidden"
    entry = kept(service, f"household:{name}-late")
    assert (entry["reason"], entry["device"]) == ("device", device)
    assert push(f"household:{name}-new", again, time.time() + 60).json() == []


# -- settling ------------------------------------------------------------------


@pytest.fixture
def refused(service: RunningServer, name: str) -> dict[str, Any]:
    """An entry: a household of the other province, with a photo."""
    photo = {"content_type": "image/jpeg", "data": base64.b64encode(b"photo").decode()}
    doc_id = f"household:{name}"
    away = {**registered(doc_id, village=AWAY), "_attachments": {"front.jpg": photo}}
    (row,) = send(service, away)
    assert row["error"] == "forbidden"
    return kept(service, doc_id)


def settle(
    service: RunningServer, entry: dict[str, Any], action: str, **payload: Any
) -> requests.Response:
    auth = payload.pop("auth", None)
    path = f"rushit/quarantine/{entry['number']}/{action}"
    return api(service, path, auth=auth, json=payload)


def test_an_adopted_document_reaches_those_whose_it_is_with_its_attachment(
    service: RunningServer, refused: dict[str, Any]
) -> None:
    doc_id = refused["doc_id"]
    done = settle(service, refused, "adopt")
    assert (done.status_code, done.json()["state"]) == (200, "adopted")
    found = call(service, "GET", f"{doc_id}?revs=true", BOPHA).json()
    assert found["_rev"] == done.json()["adopted_rev"]
    assert found["_revisions"]["ids"][1] == "a"
    assert call(service, "GET", f"{doc_id}/front.jpg", BOPHA).content == b"photo"
    assert call(service, "GET", doc_id, SOK).status_code == 404
    assert notice(service, doc_id) is None
    again = settle(service, refused, "adopt")
    assert (again.status_code, again.json()["error"]) == (409, "conflict")
    resent = send(service, registered(doc_id, village=AWAY))
    assert resent[0]["error"] == "forbidden"


def test_a_document_is_returned_with_its_content(
    service: RunningServer, refused: dict[str, Any]
) -> None:
    assert settle(service, refused, "return").status_code == 400
    assert settle(service, refused, "return", reason="Which village?").status_code == 200
    told = notice(service, refused["doc_id"])
    assert told is not None
    assert (told["kind"], told["note"]) == ("returned", "Which village?")
    assert told["content"]["village"] == AWAY
    corrected = told["content"] | {"village": HOME}
    assert send(service, sent(refused["doc_id"], "2-b", **corrected)) == []


def test_a_document_is_reassigned_and_then_adopted(
    service: RunningServer, refused: dict[str, Any]
) -> None:
    for wrong in ({}, {"area": "7"}, {"area": "020301"}):
        assert settle(service, refused, "reassign", **wrong).status_code == 400
    assert settle(service, refused, "reassign", account="nobody").status_code == 404
    given = settle(service, refused, "reassign", account="bopha", reason="It is hers.").json()
    assert (given["state"], given["assigned_account"], given["version"]) == ("kept", "bopha", 1)
    stale = settle(service, refused, "adopt", version=0)
    assert stale.status_code == 409
    assert settle(service, refused, "adopt", version=1).status_code == 200
    assert call(service, "GET", refused["doc_id"], BOPHA).ok


def test_every_step_is_in_the_audit_log(service: RunningServer, refused: dict[str, Any]) -> None:
    settle(service, refused, "reassign", account="bopha")
    settle(service, refused, "discard", reason="A test.")
    query = {"subject": refused["doc_id"], "database": "rushit"}
    page = api(service, "audit", params=query).json()
    assert [entry["action"] for entry in page["entries"]] == [
        "quarantine.discard",
        "quarantine.reassign",
    ]
    assert page["entries"][0]["actor"] == "admin"
    assert page["entries"][0]["details"]["reason"] == "A test."
    first = api(service, "audit", params={**query, "limit": 1}).json()
    second = api(service, "audit", params={**query, "limit": 1, "before": first["next"]}).json()
    assert first["entries"] + second["entries"] == page["entries"]
    for account in (SOK, DARA):
        assert api(service, "audit", auth=account).status_code == 403
    assert requests.get(f"{service.url}/api/audit", timeout=SECONDS).status_code == 401


def test_coordinators_see_what_concerns_their_areas_and_settle_nothing(
    service: RunningServer, refused: dict[str, Any]
) -> None:
    path = f"rushit/quarantine/{refused['number']}"
    for suffix in ("", "/attachments/front.jpg"):
        assert api(service, path + suffix, auth=CHAN).status_code == 200
        hidden = api(service, path + suffix, auth=DARA)
        unknown = api(service, f"rushit/quarantine/999999{suffix}", auth=DARA)
        assert (hidden.status_code, hidden.json()) == (404, unknown.json())
    numbers = [
        {entry["number"] for entry in api(service, "rushit/quarantine", auth=who).json()["entries"]}
        for who in (CHAN, DARA)
    ]
    assert refused["number"] in numbers[0] and refused["number"] not in numbers[1]
    assert api(service, "rushit/quarantine", auth=SOK).status_code == 403
    for action in ("adopt", "reassign", "return", "discard"):
        needed = {"reason": "no"} if action in ("return", "discard") else {}
        answer = settle(service, refused, action, auth=CHAN, **needed)
        assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")
    assert kept(service, refused["doc_id"])["state"] == "kept"


def test_lists_are_filtered_and_paged(service: RunningServer, refused: dict[str, Any]) -> None:
    doc_id = refused["doc_id"]
    for query, is_in in (
        ({"area": "03"}, True),
        ({"area": "02"}, False),
        ({"account": "sok"}, True),
        ({"account": "bopha"}, False),
        ({"reason": "outside", "state": "kept"}, True),
        ({"state": "adopted"}, False),
        ({"device": "tablet-9"}, False),
    ):
        assert bool(entries(service, doc_id, **query)) is is_in, query
    everything = api(service, "rushit/quarantine", params={"limit": 500}).json()
    assert everything["next"] is None
    seen: list[int] = []
    query: dict[str, Any] = {"limit": 1}
    while True:
        page = api(service, "rushit/quarantine", params=query).json()
        seen += [entry["number"] for entry in page["entries"]]
        if page["next"] is None:
            break
        query["after"] = page["next"]
    assert seen == [entry["number"] for entry in everything["entries"]]
    for bad in ({"limit": 0}, {"after": "x"}, {"state": "lost"}, {"colour": "red"}):
        assert api(service, "rushit/quarantine", params=bad).status_code == 400
    assert api(service, "nowhere/quarantine").status_code == 404


def test_a_cookie_reads_and_settles_nothing(
    service: RunningServer, refused: dict[str, Any]
) -> None:
    browser = requests.Session()
    name, password = service.admin
    browser.post(
        f"{service.url}/db/_session", json={"name": name, "password": password}, timeout=SECONDS
    )
    url = f"{service.url}/api/rushit/quarantine/{refused['number']}"
    assert browser.get(url, timeout=SECONDS).status_code == 200
    assert browser.post(f"{url}/adopt", json={}, timeout=SECONDS).status_code == 401


def test_the_commands_do_what_the_api_does(
    service: RunningServer, refused: dict[str, Any], name: str
) -> None:
    number, doc_id = str(refused["number"]), refused["doc_id"]
    line = next(
        one
        for one in service.command("quarantine", "list", "rushit", "--account", "sok").splitlines()
        if doc_id in one
    )
    assert line.split("\t")[0] == number and "outside" in line
    shown = json.loads(service.command("quarantine", "show", number))
    assert shown["document"] == refused["document"]
    photo = service.command("quarantine", "show", number, "--attachment", "front.jpg")
    assert photo == "photo"
    assigned = service.command("quarantine", "reassign", number, "--account", "bopha")
    assert "bopha" in assigned.split("\t")
    assert "adopted as 2-" in service.command("quarantine", "adopt", number)
    assert call(service, "GET", doc_id, BOPHA).ok
    for action in ("return", "discard"):
        other = f"review:{name}-{action}"
        send(service, sent(other))
        other_number = str(kept(service, other)["number"])
        assert other in service.command("quarantine", action, other_number, "--reason", "no")
        assert kept(service, other)["state"] in ("returned", "discarded")
    actors = {entry["actor"] for entry in api(service, "audit").json()["entries"]}
    assert "_cli" in actors


# -- the queue -----------------------------------------------------------------


def test_coordinators_see_and_decide_on_what_lies_in_their_areas(
    service: RunningServer, name: str
) -> None:
    for place, village, who in (("here", HOME, SOK), ("there", AWAY, BOPHA)):
        home = f"household:{name}-{place}"
        rows = send(
            service,
            registered(home, village=village, author=who[0]),
            sent(f"proposal:{name}-{place}", **proposal(household=home, author=who[0])),
            auth=who,
        )
        assert rows == []
    here, there = f"proposal:{name}-here", f"proposal:{name}-there"

    def queued(who: tuple[str, str]) -> set[str]:
        page = api(service, "rushit/queue", auth=who, params={"limit": 500}).json()
        return {row["proposal"] for row in page["proposals"]}

    until(lambda: {here, there} <= queued(service.admin))
    assert (here in queued(DARA), there in queued(DARA)) == (True, False)
    assert (here in queued(CHAN), there in queued(CHAN)) == (False, True)
    assert api(service, f"rushit/proposals/{here}", auth=DARA).status_code == 200
    foreign = api(service, f"rushit/proposals/{there}", auth=DARA)
    unknown = api(service, "rushit/proposals/proposal:nowhere", auth=DARA)
    assert (foreign.status_code, foreign.json()) == (404, unknown.json())
    wanted = [
        {"proposal": doc_id, "rev": "1-a", "action": "approve", "amount_cents": 3600}
        for doc_id in (there, "proposal:nowhere", here)
    ]
    outcomes = api(service, "rushit/decisions", auth=DARA, json={"decisions": wanted}).json()
    first, second, third = outcomes["outcomes"]
    assert (first["status"], first["reason"]) == (404, second["reason"])
    assert third["status"] == 200
    assert there in queued(CHAN)
