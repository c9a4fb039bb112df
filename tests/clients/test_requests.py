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


@RELEASES
def test_a_second_sync_transfers_nothing(
    tablet: MakeTablet, remote: Remote, release: int
) -> None:
    one = tablet(release)
    one.bulk(documents(120))
    one.sync(remote)
    one.requests()
    again = one.sync(remote)
    assert [again[way]["docs_read"] for way in ("push", "pull")] == [0, 0]
    seen = endpoints(one.requests())
    assert not {"_bulk_get", "_bulk_docs", "_revs_diff"} & set(seen)
    assert seen.total() <= 8


@RELEASES
def test_a_pull_that_was_cut_goes_on_from_its_checkpoint(
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
    assert endpoints(reader.requests())["_bulk_get"] == 1


@RELEASES
@pytest.mark.parametrize("way", ["push", "pull"])
def test_a_first_sync_needs_about_three_requests_per_batch(
    tablet: MakeTablet, remote: Remote, release: int, way: str
) -> None:
    count, batch = 1000, 100
    one = tablet(release)
    source = one if way == "push" else tablet()
    source.bulk(documents(count))
    if way == "pull":
        source.push(remote, batch_size=count)
    one.begin(way, remote, batch_size=batch).result(60)
    requests = one.requests()
    beginning_and_end = 8
    assert len(requests) <= 3 * count // batch + beginning_and_end
    failed = [r for r in requests if r["status"] >= 400 and "/_local/" not in r["path"]]
    assert failed == []
