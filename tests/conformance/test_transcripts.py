"""What real clients sent once is answered today as it was then.

Requests begin in the recorded order, each after those that had been answered before it; a
longpoll is left waiting until a later request wakes it, as it was for the client.
"""

from __future__ import annotations

import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.conformance.transcripts.exchange import Exchange, Names, body_bytes, plain_body, read
from tests.serving import RunningServer

FOLDER = Path(__file__).with_name("transcripts")
TRANSCRIPTS = sorted(FOLDER.glob("*.jsonl"))


def send(server: RunningServer, exchange: Exchange, path: str, body: object) -> requests.Response:
    headers = {k: v for k, v in exchange.headers.items() if k != "authorization"}
    return requests.request(
        exchange.method,
        server.url + path,
        data=body_bytes(body),
        headers=headers,
        auth=server.admin if "authorization" in exchange.headers else None,
        timeout=60,
    )


def differences(exchange: Exchange, seen: requests.Response, names: Names) -> list[str]:
    body = plain_body(seen.headers.get("Content-Type", ""), seen.content)
    headers = {key: seen.headers.get(key) for key in exchange.response_headers}
    found = [
        names.difference(exchange.status, seen.status_code, "status"),
        names.difference(dict(exchange.response_headers), headers, "headers"),
        names.difference(exchange.response_body, body),
    ]
    return [f"{exchange.method} {exchange.path}: {one}" for one in found if one]


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_a_recorded_client_gets_the_same_answers(server: RunningServer, transcript: Path) -> None:
    exchanges = read(transcript)
    database = f"replayed-{uuid.uuid4().hex[:12]}"
    names, found = Names(), list[str]()
    waiting: dict[int, Future[requests.Response]] = {}
    with ThreadPoolExecutor(max_workers=8) as clients:
        for number, exchange in enumerate(exchanges):
            for earlier in exchange.after:
                found += differences(exchanges[earlier], waiting.pop(earlier).result(), names)
            path = names.reveal_path(exchange.path, database)
            body = names.reveal(exchange.body)
            waiting[number] = clients.submit(send, server, exchange, path, body)
        for number in sorted(waiting):
            found += differences(exchanges[number], waiting[number].result(), names)
    assert found == []


def test_there_are_transcripts_of_both_releases_and_between_servers() -> None:
    scenes = ("push-and-pull", "conflict", "live", "between-servers-from", "between-servers-to")
    wanted = {f"{scene}-pouchdb-{release}" for scene in scenes for release in (9, 7)}
    assert {path.stem for path in TRANSCRIPTS} == wanted
