"""What other servers of the protocol have and this one leaves out, with a reason."""

from __future__ import annotations

import pytest

from tests.conformance.wire import Wire, WireDatabase

pytestmark = pytest.mark.extension


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/_replicate"),
        ("GET", "/_replicator"),
        ("PUT", "/_replicator/job"),
        ("GET", "/_users"),
        ("PUT", "/_users/org.couchdb.user:x"),
        ("GET", "/_users/_all_docs"),
        ("GET", "/_global_changes"),
        ("GET", "/_scheduler/jobs"),
        ("GET", "/_node/_local/_config"),
        ("GET", "/_utils"),
    ],
)
def test_of_the_server(wire: Wire, method: str, path: str) -> None:
    response = wire(method, path, json={} if method != "GET" else None)
    assert response.status_code in (400, 404, 501), response.text
    assert response.json()["reason"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/_design/app/_view/by_name", 404),
        ("POST", "/_design/app/_view/by_name", 404),
        ("GET", "/_design/app/_info", 404),
        ("GET", "/_design/app/_show/page", 501),
        ("GET", "/_design/app/_show/page/doc", 501),
        ("GET", "/_design/app/_list/page/view", 501),
        ("POST", "/_design/app/_update/touch", 501),
        ("GET", "/_design/app/_rewrite", 501),
        ("GET", "/_design/app/_rewrite/any/where", 501),
        ("POST", "/_explain", 501),
        ("GET", "/_unknown", 404),
        ("PUT", "/_bulk_docs", 405),
        ("GET", "/_revs_diff", 405),
        ("DELETE", "/_changes", 405),
        ("POST", "/_security", 405),
    ],
)
def test_of_a_database(db: WireDatabase, method: str, path: str, status: int) -> None:
    db.put("/_design/app", json={"views": {"by_name": {"map": "function (doc) {}"}}})
    response = db(method, path, json={})
    assert response.status_code == status, response.text
    assert response.json()["reason"]
    if status == 405:
        assert response.headers["Allow"]
