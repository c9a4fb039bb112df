"""Requests that nobody thought of, over real HTTP: never a 5xx, never half a batch."""

from __future__ import annotations

import json
import string
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conformance.wire import Wire, WireDatabase, fresh_name
from tests.serving import RunningServer

pytestmark = pytest.mark.extension

FEW = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["1-a", "2-" + "b" * 32, "_design/x", "_local/x", "0-1", "md5-x", "eA=="]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
members = st.sampled_from(
    ["_id", "_rev", "_revisions", "_deleted", "_attachments", "_x", "n", "start", "ids", "a"]
)
attachment = st.dictionaries(
    st.sampled_from(["data", "stub", "follows", "content_type", "revpos", "digest", "encoding"]),
    scalars,
    max_size=4,
)
documents = st.one_of(
    values,
    st.dictionaries(members, values, max_size=5),
    st.fixed_dictionaries(
        {},
        optional={
            "_id": st.text(min_size=1, max_size=5),
            "_rev": st.sampled_from(["1-a", "2-b", "1-" + "c" * 32]),
            "_revisions": st.fixed_dictionaries(
                {"start": st.integers(-1, 3), "ids": st.lists(st.sampled_from("abc"), max_size=3)}
            ),
            "_deleted": st.booleans(),
            "_attachments": st.dictionaries(st.text(max_size=3), attachment, max_size=2),
            "n": values,
        },
    ),
)
payloads = st.one_of(
    values,
    st.fixed_dictionaries(
        {"docs": st.one_of(values, st.lists(documents, max_size=4))},
        optional={"new_edits": st.one_of(st.booleans(), values)},
    ),
    st.dictionaries(
        st.sampled_from(
            ["docs", "keys", "selector", "doc_ids", "limit", "since", "queries", "filter", "a"]
        ),
        values,
        max_size=4,
    ),
)
endpoints = st.sampled_from(
    [
        "",
        "/_bulk_docs",
        "/_bulk_get",
        "/_bulk_get?revs=true&attachments=true&latest=true",
        "/_revs_diff",
        "/_missing_revs",
        "/_all_docs",
        "/_all_docs?include_docs=true",
        "/_design_docs",
        "/_local_docs",
        "/_changes",
        "/_changes?filter=_selector",
        "/_changes?filter=_doc_ids&include_docs=true",
        "/_find",
        "/_purge",
    ]
)
parameters = st.dictionaries(
    st.sampled_from(
        [
            "rev",
            "revs",
            "revs_info",
            "conflicts",
            "open_revs",
            "atts_since",
            "latest",
            "meta",
            "local_seq",
            "since",
            "limit",
            "descending",
            "style",
            "heartbeat",
            "timeout",
            "seq_interval",
            "doc_ids",
            "filter",
            "startkey",
            "endkey",
            "key",
            "keys",
            "skip",
            "include_docs",
            "attachments",
            "att_encoding_info",
            "new_edits",
            "count",
        ]
    ),
    st.one_of(
        st.sampled_from(["true", "false", "0", "1", "-1", "now", "all", "all_docs", "_selector"]),
        st.text(max_size=6),
        values.map(lambda value: json.dumps(value)),
    ),
    max_size=4,
)
segments = st.one_of(
    st.text(min_size=1, max_size=6),
    st.sampled_from(
        [
            "_design",
            "_local",
            "_changes",
            "_all_docs",
            "_bulk_get",
            "_security",
            "_revs_limit",
            "_index",
            "d",
            "x",
        ]
    ),
)


@pytest.fixture(scope="module")
def fuzzed(wire: Wire) -> Iterator[WireDatabase]:
    database = WireDatabase(wire, fresh_name())
    database.put()
    database.save("d", n=1, _attachments={"x": {"data": "eA=="}})
    yield database
    database.delete()


def encode(value: Any) -> bytes:
    """As a sloppy client would: lone surrogates escaped, NaN spelt out."""
    return json.dumps(value).encode()


def answered(response: Any) -> None:
    assert response.status_code < 500 or response.status_code == 501, response.text
    if response.status_code >= 400 and response.content:
        assert response.json()["reason"]


@FEW
@given(endpoint=endpoints, payload=payloads)
def test_no_payload_breaks_an_endpoint(fuzzed: WireDatabase, endpoint: str, payload: Any) -> None:
    headers = {"Content-Type": "application/json"}
    answered(fuzzed.post(endpoint, data=encode(payload), headers=headers))


@FEW
@given(document=documents, new_edits=st.sampled_from(["true", "false"]))
def test_no_document_breaks_put(fuzzed: WireDatabase, document: Any, new_edits: str) -> None:
    answered(fuzzed.put(f"/fuzz?new_edits={new_edits}", data=encode(document)))
    answered(fuzzed.put("/_local/fuzz", data=encode(document)))


@FEW
@given(path=st.lists(segments, max_size=3), params=parameters)
def test_no_address_breaks_get(
    fuzzed: WireDatabase, path: list[str], params: dict[str, str]
) -> None:
    address = "".join("/" + quote(part, safe="", errors="surrogatepass") for part in path)
    asked = {name: value.encode("utf-8", "surrogatepass") for name, value in params.items()}
    answered(fuzzed.get(address, params=asked))


@FEW
@given(body=st.binary(max_size=200), kind=st.sampled_from(["json", "gzip", "related", "none"]))
def test_no_bytes_break_a_body(fuzzed: WireDatabase, body: bytes, kind: str) -> None:
    headers = {
        "json": {"Content-Type": "application/json"},
        "gzip": {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        "related": {"Content-Type": "multipart/related; boundary=b"},
        "none": {},
    }[kind]
    sent = b"--b\r\n" + body + b"\r\n--b--" if kind == "related" else body
    answered(fuzzed.post("/_bulk_docs", data=sent, headers=headers))
    answered(fuzzed.put("/fuzz-bytes", data=sent, headers=headers))


@FEW
@given(
    good=st.lists(st.text(string.ascii_letters, min_size=3, max_size=8), max_size=3, unique=True),
    bad=documents,
)
def test_a_batch_is_taken_whole_or_not_at_all(
    wire: Wire, fuzzed: WireDatabase, good: list[str], bad: Any
) -> None:
    before = fuzzed.json()["update_seq"]
    names = [f"batch:{before}:{name}" for name in good]
    docs = [{"_id": name, "_rev": "1-a"} for name in names]
    body = encode({"docs": [*docs, bad], "new_edits": False})
    response = fuzzed.post("/_bulk_docs", data=body, headers={"Content-Type": "application/json"})
    answered(response)
    stored = [fuzzed.get("/" + quote(name)).status_code == 200 for name in names]
    assert all(stored) if response.status_code == 201 else not any(stored)


def test_nothing_unexpected_stands_in_the_log(server: RunningServer) -> None:
    """Tests that hang up in the middle of a feed leave a broken pipe, which is no surprise."""
    gone = ("BrokenPipeError", "ConnectionResetError")
    tracebacks = [line for line in server.log().splitlines() if "Traceback" in line]
    assert [line for line in tracebacks if not any(kind in line for kind in gone)] == []
