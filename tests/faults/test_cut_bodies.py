"""A request whose body stops in the middle changes nothing, whatever it was."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import uuid
from collections.abc import Mapping
from urllib.parse import urlsplit

import pytest
import requests

from sync_server.demo.tablet import eventually
from tests.serving import RunningServer

REV = "1-" + "0" * 32
DOCS = json.dumps(
    {
        "new_edits": False,
        "docs": [{"_id": f"household:{n}", "_rev": REV, "text": "x" * 900} for n in range(50)],
    }
).encode()
RELATED = (
    b'--cut\r\nContent-Type: application/json\r\n\r\n{"_attachments":{"a.jpg":{"follows":true,'
    b'"content_type":"image/jpeg","length":50000}}}\r\n--cut\r\n'
    b'Content-Disposition: attachment; filename="a.jpg"\r\n\r\n' + b"x" * 50_000 + b"\r\n--cut--"
)

REQUESTS = {
    "bulk_docs": ("POST", "/_bulk_docs", "application/json", DOCS),
    "document": ("PUT", "/household:1", "application/json", b'{"text":"' + b"x" * 5000 + b'"}'),
    "local": ("PUT", "/_local/checkpoint", "application/json", b'{"last_seq":"1-abcdef"}'),
    "attachment": ("PUT", "/household:1/a.jpg", "image/jpeg", b"\xff" * 300_000),
    "multipart": ("PUT", "/household:1", 'multipart/related; boundary="cut"', RELATED),
}


@pytest.fixture
def database(server: RunningServer) -> str:
    url = server.db_url(f"cuts-{uuid.uuid4().hex[:12]}")
    requests.put(url, auth=server.admin, timeout=30).raise_for_status()
    return url


def state(server: RunningServer, url: str) -> list[object]:
    """All that a request could have changed."""
    paths = ("", "/_changes?style=all_docs", "/_local_docs?include_docs=true")
    answers = [requests.get(url + path, auth=server.admin, timeout=30).json() for path in paths]
    return [answers[0]["update_seq"], answers[0]["doc_count"], answers[1]["results"], answers[2]]


def cut(
    server: RunningServer, url: str, method: str, headers: Mapping[str, str], sent: bytes
) -> bytes:
    """Send a head and the beginning of a body, then hang up; answers what came back."""
    parts = urlsplit(url)
    secret = base64.b64encode(":".join(server.admin).encode()).decode()
    head = {"Host": parts.netloc, "Authorization": f"Basic {secret}", **headers}
    lines = [f"{method} {parts.path} HTTP/1.1", *(f"{k}: {v}" for k, v in head.items()), "", ""]
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        connection.sendall("\r\n".join(lines).encode() + sent)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("kind", REQUESTS)
def test_a_body_shorter_than_its_length_changes_nothing(
    server: RunningServer, database: str, kind: str, share: float
) -> None:
    method, path, content_type, body = REQUESTS[kind]
    before = state(server, database)
    headers = {"Content-Type": content_type, "Content-Length": str(len(body))}
    answer = cut(server, database + path, method, headers, body[: int(len(body) * share)])
    assert not answer.startswith((b"HTTP/1.1 2", b"HTTP/1.1 5"))
    assert state(server, database) == before


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_chunked_body_without_its_end_changes_nothing(
    server: RunningServer, database: str, kind: str
) -> None:
    method, path, content_type, body = REQUESTS[kind]
    before = state(server, database)
    headers = {"Content-Type": content_type, "Transfer-Encoding": "chunked"}
    chunk = f"{len(body):x}\r\n".encode() + body + b"\r\n"
    answer = cut(server, database + path, method, headers, chunk)
    assert not answer.startswith((b"HTTP/1.1 2", b"HTTP/1.1 5"))
    assert state(server, database) == before


@pytest.mark.parametrize("share", [0.1, 0.6, 0.999])
def test_a_gzip_body_that_stops_early_is_a_bad_request(
    server: RunningServer, database: str, share: float
) -> None:
    packed = gzip.compress(DOCS)
    before = state(server, database)
    answer = requests.post(
        f"{database}/_bulk_docs",
        data=packed[: int(len(packed) * share)],
        headers={"Content-Type": "application/json", "Content-Encoding": "gzip"},
        auth=server.admin,
        timeout=30,
    )
    assert answer.status_code == 400
    assert set(answer.json()) == {"error", "reason"}
    assert state(server, database) == before


def test_a_client_that_hangs_up_while_it_pulls_harms_no_one(
    server: RunningServer, database: str
) -> None:
    headers = {"Content-Type": "application/json"}
    requests.post(
        f"{database}/_bulk_docs", data=DOCS, headers=headers, auth=server.admin, timeout=30
    ).raise_for_status()
    for _ in range(20):
        with requests.get(
            f"{database}/_changes?include_docs=true&feed=continuous",
            auth=server.admin,
            stream=True,
            timeout=30,
        ) as feed:
            assert next(feed.iter_content(10))
    eventually(lambda: requests.get(f"{server.url}/healthz", timeout=30).ok, what="a health report")
    assert state(server, database)[1] == 50
