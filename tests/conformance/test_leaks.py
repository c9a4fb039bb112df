"""A document out of sight looks as one that does not exist, however it is asked for."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from werkzeug.routing import MapAdapter

from sync_server.app import create_app
from sync_server.settings import Settings
from sync_server.storage.base import AttachmentWrite, Origin, Revisions, RevisionWrite
from sync_server.storage.departures import departure_of
from tests.conformance.naming import ATTACHMENT, Ask, Named, reading, replicating, writing
from tests.conformance.wire import A, B, C, Wire
from tests.office import DATABASE, PASSWORD, Office, open_office
from tests.serving import RunningServer

pytestmark = pytest.mark.extension

HERE, THERE, ENDED = "020301", "020401", "020302"
FACE = b"SECRET face"
DIGEST = "md5-" + b64encode(hashlib.md5(FACE).digest()).decode()
KINDS = ("plain", "conflicted", "deleted", "personal", "sibling", "left", "ended", "design")
_IGNORED = {"date", "x-request-id"}
_SEAL = re.compile(rb"~[0-9a-f]+\.[\w-]{16}")


@dataclass(frozen=True)
class World:
    """A worker of one commune; foreign documents of every kind; and an account of theirs. A mate
    of the worker's, who has sent nothing and has no notice that says so.
    """

    office: Office
    sok: Wire
    mate: Wire
    dara: Wire

    def ask(self, ask: Ask, doc_id: str) -> Answer:
        with self.sok(
            ask.method,
            f"/{DATABASE}{ask.path}",
            params=dict(ask.params),
            headers=dict(ask.headers),
            **({"json": ask.body} if ask.body is not None else {"data": ask.data}),
        ) as response:
            return Answer.of(response, doc_id)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @classmethod
    def of(cls, response: requests.Response, doc_id: str) -> Answer:
        """The answer with the id that was asked for, and what is drawn anew each time, left out."""
        boundary = response.headers.get("Content-Type", "").partition('boundary="')[2].rstrip('"')
        names = [boundary] if boundary else []
        names += [doc_id, json.dumps(doc_id)[1:-1], doc_id.replace(":", "%3A")]
        body = _SEAL.sub(b"~", response.content)
        headers = [
            (name.lower(), value)
            for name, value in response.headers.items()
            if name.lower() not in _IGNORED
        ]
        for name in names:
            body = body.replace(name.encode(), b"*")
            headers = [(header, value.replace(name, "*")) for header, value in headers]
        return cls(response.status_code, sorted(headers), body)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with RunningServer() as server, open_office(server) as office:
        office.know([HERE + "01", THERE + "01", ENDED + "01"])
        foreign(office, "left", HERE)
        office.whole.relocate({name("left"): THERE}, origin=Origin("office"))
        sok, dara = office.worker(HERE, name="sok"), office.worker(THERE, name="dara")
        mate = office.worker(HERE, name="mate")
        for one in (sok, mate):
            office.parts.grants.give(one, "cew", DATABASE, ENDED, starts_at=1, ends_at=2)
        areas = {"personal": f"@{dara}", "sibling": "0204", "ended": ENDED}
        for kind in KINDS:
            if kind != "left":
                foreign(office, kind, areas.get(kind, THERE))
        office.write("household:own", HERE, type="household", village=HERE + "01")
        office.write("catalogue:nation", "", type="catalogue")
        office.rest()
        root = server.url + "/db"
        yield World(office, *(Wire(root, (name, PASSWORD)) for name in (sok, mate, dara)))


def name(kind: str, known: bool = True) -> str:
    """The foreign document of that kind, or one as long that does not exist."""
    word = "foreign" if known else "unknown"
    return f"_design/{word}" if kind == "design" else f"household:{kind}-{word}"


def foreign(office: Office, kind: str, area: str) -> None:
    body = json.dumps({"type": "household", "note": "SECRET"}).encode()
    files = {ATTACHMENT: AttachmentWrite("image/jpeg", FACE)}

    def revision(*ids: str, deleted: bool = False) -> RevisionWrite:
        return RevisionWrite(name(kind), Revisions(len(ids), ids), body, deleted, files, area)

    writes = [revision(A), revision(B, A)]
    if kind == "conflicted":
        writes.append(revision(C, A))
    if kind == "deleted":
        writes.append(revision(C, B, A, deleted=True))
    office.whole.bulk_docs(writes, new_edits=False, origin=Origin("office"))


def named(world: World, kind: str, known: bool = True) -> Named:
    whole, doc_id = world.office.whole, name(kind)
    leaf = whole.state(doc_id).winner.rev
    revs = [f"1-{A}", leaf, departure_of(doc_id, f"1-{A}"), departure_of(doc_id, leaf), f"9-{A}"]
    sinces = {
        "own": world.sok.get(f"/{DATABASE}/_changes").json()["last_seq"],
        "another's": world.dara.get(f"/{DATABASE}/_changes").json()["last_seq"],
        "an admin's": whole.update_seq(),
        "forged, of theirs": whole.within([THERE]).update_seq(),
        "forged, of everything": whole.update_seq() + "-0000000000",
        "forged, old": f"1-{whole.update_seq().partition('-')[2]}",
    }
    return Named(name(kind, known), revs, DIGEST, sinces)


def differences(world: World, kind: str, asks: Any) -> list[str]:
    """Requests that are answered otherwise for the foreign document than for an unknown one."""
    foreign_one, unknown = named(world, kind), named(world, kind, known=False)
    # One set of sequences, so that both are asked the same.
    unknown = Named(unknown.doc_id, foreign_one.revs, DIGEST, foreign_one.sinces)
    found = []
    for ask, same in zip(asks(foreign_one), asks(unknown), strict=True):
        answer, other = world.ask(ask, foreign_one.doc_id), world.ask(same, unknown.doc_id)
        assert answer.status != 500, (str(ask), answer)
        if answer != other:
            found.append(f"{ask}\n  {answer}\n  {other}")
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_foreign_document_is_read_as_one_that_does_not_exist(world: World, kind: str) -> None:
    found = differences(world, kind, reading)
    assert not found, "\n".join(found[:5])


@pytest.mark.parametrize("kind", KINDS)
def test_a_foreign_document_is_written_on_as_one_that_does_not_exist(
    world: World, kind: str
) -> None:
    whole, known = world.office.whole, name(kind)
    since, before = whole.update_seq(), whole.state(known)
    found = differences(world, kind, writing)
    assert not found, "\n".join(found[:5])
    assert whole.states([known, name(kind, known=False)]) == [before, None]
    # What was refused is kept, and its sender told.
    assert all(row.doc_id.startswith("notice:") for row in whole.changes(since).rows)


def test_every_endpoint_is_asked_in_these_ways(world: World, tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path))
    asked = set()
    for kind in ("plain", "design"):
        of = named(world, kind)
        for ask in (*reading(of), *writing(of), *replicating(of)):
            path = f"/db/{DATABASE}{ask.path}"
            adapter = MapAdapter(app.url_map, "here", "/", "", "http", path, ask.method, "")
            rule, _ = adapter.match(return_rule=True)
            asked.add((rule.rule, ask.method))
    offered = {
        (rule.rule, method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"OPTIONS"}
        if rule.rule.startswith("/db/<db:name>")
    }
    # HEAD is GET without a body: where it is not asked, it is the same function.
    missing = {one for one in offered - asked if one[1] != "HEAD"}
    assert not missing
    for part in ("<docid:doc_id>", "<attname:attachment>", "_changes", "_all_docs"):
        assert any(part in rule and method == "HEAD" for rule, method in asked)


LISTS = [
    "/_all_docs?include_docs=true&conflicts=true&attachments=true",
    "/_all_docs?descending=true",
    "/_design_docs?include_docs=true",
    *(
        f"/_changes?style=all_docs&include_docs=true&timeout=1&feed={feed}{extra}"
        for feed in ("normal", "longpoll", "continuous", "eventsource")
        for extra in ("", "&descending=true", "&filter=_design", "&limit=1")
    ),
]


@pytest.mark.parametrize("path", LISTS)
def test_no_list_names_a_foreign_document(world: World, path: str) -> None:
    sinces = named(world, "plain").sinces if "_changes" in path else {"none": ""}
    own = world.mate.get(f"/{DATABASE}/_changes").json()["last_seq"]
    for since in ("", own, *sinces.values()):
        address = f"/{DATABASE}{path}" + (f"&since={since}" if since else "")
        with world.mate.get(address) as response:
            assert response.status_code == 200, response.text
            assert "foreign" not in response.text and "SECRET" not in response.text, since


def counts(world: World) -> list[Any]:
    """Whatever is counted for the reader."""
    info = world.sok.get(f"/{DATABASE}").json()
    info["update_seq"] = None
    lists = world.sok.get(f"/{DATABASE}/_all_docs").json()["total_rows"]
    pending = world.sok.get(f"/{DATABASE}/_changes?limit=0").json()["pending"]
    of_one = world.sok.get(f"/{DATABASE}/_changes?limit=1").json()["pending"]
    return [info, lists, pending, of_one]


def test_no_count_tells_of_foreign_documents(world: World) -> None:
    before = counts(world)
    for number in range(20):
        world.office.write(f"household:more-{number}", THERE, type="household")
    world.office.rest()
    world.office.whole.relocate({"household:more-0": "0204"}, origin=Origin("office"))
    world.office.whole.purge({"household:more-1": [world.office.whole.get("household:more-1").rev]})
    assert counts(world) == before


def test_no_feed_wakes_for_a_foreign_document(world: World) -> None:
    """The intake has to be at rest: what it writes about own documents does wake."""
    since = world.sok.get(f"/{DATABASE}/_changes").json()["last_seq"]
    timer = threading.Timer(
        0.2, lambda: world.office.write("household:late-foreign", THERE, type="household")
    )
    timer.start()
    for feed in ("longpoll", "continuous"):
        params = {"feed": feed, "since": since, "timeout": "900"}
        text = world.sok.get(f"/{DATABASE}/_changes", params=params).text
        assert "foreign" not in text and '"changes"' not in text
    timer.join()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "design"])
def test_what_replicates_to_a_foreign_document_is_answered_as_for_any_other_area(
    world: World, kind: str
) -> None:
    """Last, for these write."""
    found = differences(world, kind, replicating)
    assert not found, "\n".join(found[:5])
