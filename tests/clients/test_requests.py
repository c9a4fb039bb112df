"""How many requests a sync takes: over 2G each one costs seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from sync_server.demo.tablet import Remote, Tablet

MakeTablet = Callable[..., Tablet]

RELEASES = pytest.mark.parametrize("release", [9, 7])


def documents(count: int) -> list[dict[str, Any]]:
    return [{"_id": f"proposal:{n:05d}", "quantity": n} for n in range(count)]


def endpoints(requests: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """Requests by the last part of their path, `_changes` and `_bulk_get` among them."""
    paths = (request["path"].split("?")[0].rstrip("/") for request in requests)
    return Counter(path.rsplit("/", 1)[-1] for path in paths)


def sent(requests: Sequence[Mapping[str, Any]], *parts: str) -> int:
    """How many of the requests went to one of these endpoints."""
    seen = endpoints(requests)
    return sum(seen[part] for part in parts)


@RELEASES
def test_a_second_sync_transfers_nothing(tablet: MakeTablet, remote: Remote, release: int) -> None:
    one = tablet(release)
    one.bulk(documents(120))
    one.sync(remote)
    one.sync(remote)
    one.requests()
    again = one.sync(remote)
    assert [again[way]["docs_read"] for way in ("push", "pull")] == [0, 0]
    requests = one.requests()
    assert sent(requests, "_revs_diff", "_bulk_docs", "_bulk_get", "_all_docs") == 0
    assert sent(requests, "_changes") == 1
    assert [request for request in requests if request["method"] != "GET"] == []


@RELEASES
def test_a_later_pull_goes_on_from_its_checkpoint(
    tablet: MakeTablet, remote: Remote, release: int
) -> None:
    writer, reader = tablet(), tablet(release)
    writer.bulk(documents(300))
    writer.push(remote)
    reader.pull(remote, batch_size=50)
    writer.bulk([{"_id": f"visit:{n}"} for n in range(10)])
    writer.push(remote)
    reader.requests()
    assert reader.pull(remote, batch_size=50)["docs_read"] == 10
    assert sent(reader.requests(), "_bulk_get", "_all_docs") == 1


@RELEASES
@pytest.mark.parametrize("way", ["push", "pull"])
def test_a_first_sync_carries_its_documents_in_two_requests_per_batch(
    tablet: MakeTablet, remote: Remote, release: int, way: str
) -> None:
    """A batch is `_revs_diff` and `_bulk_docs`, or `_changes` and `_bulk_get`. PouchDB adds two
    for its checkpoint, and 9 asks for the database's information before each pulled batch; it
    leaves a server no say in that.
    """
    batches, size = 10, 100
    one = tablet(release)
    source = one if way == "push" else tablet()
    source.bulk(documents(batches * size))
    if way == "pull":
        source.push(remote, batch_size=batches * size)
    one.begin(way, remote, batch_size=size).result(60)
    requests = one.requests()
    beginning_and_end = 8
    carrying = ("_revs_diff", "_bulk_docs", "_changes", "_bulk_get", "_all_docs")
    assert sent(requests, *carrying) <= 2 * batches + 2
    per_batch = 5 if (way, release) == ("pull", 9) else 4
    assert len(requests) <= per_batch * batches + beginning_and_end
    failed = [r for r in requests if r["status"] >= 400 and "/_local/" not in r["path"]]
    assert failed == []
