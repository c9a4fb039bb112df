"""Every way in which a request can name a document: made for a foreign id and for an unknown one,
the answers must be the same, byte for byte.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

VILLAGE_ELSEWHERE = "02040101"
ATTACHMENT = "face.jpg"


@dataclass(frozen=True)
class Named:
    """A document that is asked for, and what one who knows it knows."""

    doc_id: str
    revs: Sequence[str]
    """Revisions that the foreign document has, and departures of them."""
    digest: str
    sinces: Mapping[str, str]
    """Sequences that the reader may hand in: their own, others', and forged ones."""

    @property
    def path(self) -> str:
        if self.doc_id.startswith("_design/"):
            return "/" + self.doc_id
        return "/" + quote(self.doc_id, safe="")


@dataclass(frozen=True)
class Ask:
    """A request below the database, and what makes it different from others."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    data: bytes | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path} {dict(self.params)} {dict(self.headers)} {self.body}"


JSON, MIXED, RELATED = "application/json", "multipart/mixed", "multipart/related"
ACCEPTS = [{"Accept": accepted} for accepted in (JSON, MIXED, RELATED)]


def reading(named: Named) -> Iterator[Ask]:
    """Requests that change nothing."""
    yield from _documents(named)
    yield from _attachments(named)
    yield from _lists(named)
    yield from _changes(named)
    yield from _bulk(named)
    yield from _for_admins(named)
    yield from _beside(named)


def writing(named: Named) -> Iterator[Ask]:
    """Requests that would write on a revision of the document, or bring one from elsewhere.

    Only what begins a document tells that its id is taken: ids are random, and nobody else's
    document can be made by chance.
    """
    body = {"type": "household", "village": VILLAGE_ELSEWHERE}
    for rev in named.revs:
        for params, headers in (({"rev": rev}, {}), ({}, {"If-Match": rev})):
            yield Ask("PUT", named.path, params, headers, dict(body))
            yield Ask("DELETE", named.path, params, headers)
            yield Ask("PUT", f"{named.path}/{ATTACHMENT}", params, headers, data=b"new")
            yield Ask("DELETE", f"{named.path}/{ATTACHMENT}", params, headers)
            yield Ask("COPY", named.path, params, {**headers, "Destination": "household:copy"})
        whole = {**body, "_id": named.doc_id, "_rev": rev}
        yield Ask("POST", "", body=whole)
        yield Ask("POST", "/_bulk_docs", body={"docs": [whole]})
        yield Ask("POST", "/_bulk_docs", body={"docs": [{**whole, "_deleted": True}]})
        target = {"Destination": f"{quote(named.doc_id, safe='/')}?rev={rev}"}
        yield Ask("COPY", "/household:own", headers=target)
    yield Ask("DELETE", named.path)
    yield Ask("DELETE", f"{named.path}/{ATTACHMENT}")
    yield Ask("COPY", named.path, headers={"Destination": "household:copy"})


def replicating(named: Named) -> Iterator[Ask]:
    """Revisions made elsewhere, of a document that does not belong to the reader either way."""
    body = {"type": "household", "village": VILLAGE_ELSEWHERE, "_id": named.doc_id}
    stub = {ATTACHMENT: {"stub": True, "digest": named.digest, "content_type": "image/jpeg"}}
    for number, rev in enumerate(named.revs):
        start, _, rev_id = rev.partition("-")
        below = {"start": int(start) + 1, "ids": [f"{number:032x}", rev_id]}
        for extra in ({}, {"_attachments": stub}, {"_deleted": True}):
            for revisions in ({"_rev": rev}, {"_revisions": below}):
                docs = [{**body, **revisions, **extra}]
                yield Ask("POST", "/_bulk_docs", body={"docs": docs, "new_edits": False})


def _documents(named: Named) -> Iterator[Ask]:
    revs = json.dumps(named.revs)
    flags = (
        *("revs", "revs_info", "conflicts", "deleted_conflicts", "meta", "local_seq"),
        *("attachments", "att_encoding_info", "latest"),
    )
    choices: list[dict[str, str]] = [{}, dict.fromkeys(flags, "true")]
    choices += [{flag: "true"} for flag in flags]
    choices += [{"atts_since": revs, "attachments": "true"}, {"open_revs": "all"}]
    choices += [{"open_revs": revs}, {"open_revs": revs, "latest": "true", "attachments": "true"}]
    named_revs = [{}, *({"rev": rev} for rev in named.revs)]
    for method, params, rev in itertools.product(("GET", "HEAD"), choices, named_revs):
        yield Ask(method, named.path, {**params, **rev})
    for headers, params in itertools.product(ACCEPTS, choices[-4:]):
        yield Ask("GET", named.path, params, headers)
    for rev in named.revs:
        yield Ask("GET", named.path, headers={"If-None-Match": f'"{rev}"'})


def _attachments(named: Named) -> Iterator[Ask]:
    path = f"{named.path}/{ATTACHMENT}"
    tag = named.digest.removeprefix("md5-")
    for method in ("GET", "HEAD"):
        yield Ask(method, path)
        yield Ask(method, path, headers={"Range": "bytes=0-1"})
        yield Ask(method, path, headers={"If-None-Match": f'"{tag}"'})
        for rev in named.revs:
            yield Ask(method, path, {"rev": rev})
            yield Ask(method, path, headers={"If-Match": rev})


def _lists(named: Named) -> Iterator[Ask]:
    doc_id, key = named.doc_id, json.dumps(named.doc_id)
    flags = {"include_docs": "true", "conflicts": "true", "attachments": "true"}
    for path, extra in itertools.product(("/_all_docs", "/_design_docs"), ({}, flags)):
        for params in (
            {"key": key},
            {"keys": json.dumps([doc_id, "household:own", doc_id])},
            {"startkey": key, "endkey": key},
            {"startkey": key, "limit": "1"},
            {"endkey": key, "descending": "true", "limit": "1"},
            {"startkey": key, "skip": "1", "limit": "1", "update_seq": "true"},
        ):
            yield Ask("GET", path, {**params, **extra})
        yield Ask("HEAD", path, {"key": key})
        yield Ask("POST", path, extra, body={"keys": [doc_id], "update_seq": True})
    queries = [{"keys": [doc_id]}, {"key": doc_id}, {"startkey": doc_id, "limit": 2}]
    yield Ask("POST", "/_all_docs/queries", body={"queries": queries})


def _changes(named: Named) -> Iterator[Ask]:
    ids = json.dumps([named.doc_id])
    by_ids = {"filter": "_doc_ids", "doc_ids": ids, "timeout": "1"}
    selector = {"selector": {"_id": named.doc_id}}
    feeds = ("normal", "longpoll", "continuous", "eventsource")
    for feed, since in itertools.product(feeds, ["0", "now", *named.sinces.values()]):
        yield Ask("GET", "/_changes", {**by_ids, "feed": feed, "since": since})
    for since in ["0", *named.sinces.values()]:
        extra = {"since": since, "style": "all_docs", "include_docs": "true", "conflicts": "true"}
        yield Ask("GET", "/_changes", {**by_ids, **extra})
        yield Ask("GET", "/_changes", {**by_ids, **extra, "descending": "true"})
        yield Ask("POST", "/_changes", {"filter": "_doc_ids"}, body={"doc_ids": [named.doc_id]})
        yield Ask("POST", "/_changes", {"filter": "_selector", "since": since}, body=selector)
        yield Ask("HEAD", "/_changes", {**by_ids, "since": since})
    yield Ask("GET", "/_changes", {"feed": "eventsource", "timeout": "1"}, {"Last-Event-ID": "0"})


def _bulk(named: Named) -> Iterator[Ask]:
    doc_id = named.doc_id
    for params, headers in itertools.product(
        ({}, {"revs": "true"}, {"latest": "true"}, {"attachments": "true", "revs": "true"}), ACCEPTS
    ):
        docs: list[dict[str, Any]] = [{"id": doc_id}]
        docs += [{"id": doc_id, "rev": rev} for rev in named.revs]
        docs += [{"id": doc_id, "rev": named.revs[0], "atts_since": list(named.revs)}]
        yield Ask("POST", "/_bulk_get", params, headers, {"docs": docs})
    for path in ("/_revs_diff", "/_missing_revs"):
        yield Ask("POST", path, body={doc_id: list(named.revs)})
        yield Ask("POST", path, body={doc_id: [*named.revs, named.revs[0]], "household:own": []})


def _for_admins(named: Named) -> Iterator[Ask]:
    selector = {"selector": {"_id": named.doc_id}}
    for path in ("/_find", "/_explain"):
        yield Ask("POST", path, body=selector)
    yield Ask("GET", "/_index")
    yield Ask("POST", "/_index", body={"index": {"fields": ["_id"]}})
    yield Ask("DELETE", "/_index/_design/x/json/y")
    yield Ask("POST", "/_purge", body={named.doc_id: list(named.revs)})
    yield Ask("POST", "/_compact", body={})
    yield Ask("POST", "/_view_cleanup", body={})
    yield Ask("PUT", "/_security", body={})
    yield Ask("PUT", "/_revs_limit", body=1)
    yield Ask("PUT", "")
    yield Ask("DELETE", "")


def _beside(named: Named) -> Iterator[Ask]:
    """What has nothing to do with documents, whatever it is called like."""
    local = "/_local/" + quote(named.doc_id, safe="")
    for method in ("GET", "PUT", "DELETE"):
        yield Ask(method, local, body={"n": 1} if method == "PUT" else None)
        yield Ask(method, f"{local}/{ATTACHMENT}", data=b"x" if method == "PUT" else None)
        yield Ask(method, "/_local", body={} if method == "PUT" else None)
    for method in ("GET", "POST"):
        yield Ask(method, "/_local_docs", body={} if method == "POST" else None)
    for path in ("", "/_security", "/_revs_limit", "/_local_docs", "/_local"):
        yield Ask("GET", path)
        yield Ask("HEAD", path)
    yield Ask("POST", "/_local", body={})
    yield Ask("POST", "/_ensure_full_commit", body={})
    functions = (
        *("_info", "_rewrite", "_rewrite/x", "_list/x", "_search/x"),
        *("_show/x", "_update/x", "_view/x"),
    )
    for method, name in itertools.product(("GET", "POST", "PUT", "DELETE"), functions):
        yield Ask(method, f"/_design/{quote(named.doc_id, safe='')}/{name}")
