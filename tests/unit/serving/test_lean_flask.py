"""The framework's shortcuts: nothing may come out differently for them."""

from __future__ import annotations

from flask import Blueprint, Response, request

from sync_server.replication.lean_flask import REMEMBERED_PATHS, WholeResponse
from sync_server.replication.routing import RawPathFlask


def an_app() -> RawPathFlask:
    app = RawPathFlask("test")
    part = Blueprint("part", __name__)
    order: list[str] = app.extensions.setdefault("order", [])

    @part.route("/<db:name>/<docid:doc_id>", methods=["GET", "PUT"])
    def show(name: str, doc_id: str) -> Response:
        order.append(f"view {request.method} {name} {doc_id}")
        return WholeResponse(b"{}\n", 200, [("Content-Type", "application/json")])

    @app.get("/plain/")
    def plain() -> Response:
        order.append("plain")
        return WholeResponse(b"", 204)

    part.before_request(lambda: order.append("before"))
    app.after_request(lambda response: order.append("after, app") or response)
    part.after_request(lambda response: order.append("after, part") or response)
    part.teardown_request(lambda _: order.append("teardown"))
    app.register_blueprint(part)
    return app


def test_hooks_run_around_the_views_that_have_them() -> None:
    app = an_app()
    order = app.extensions["order"]
    for _ in range(2):
        order.clear()
        answer = app.test_client().get("/notes/a")
        assert (answer.data, answer.headers["Content-Length"]) == (b"{}\n", "3")
        around = ["before", "view GET notes a", "after, part", "after, app", "teardown"]
        assert order == around
        order.clear()
        assert app.test_client().get("/plain").status_code == 204
        assert order == ["plain", "after, app"]


def test_a_path_that_is_known_leads_where_it_led() -> None:
    app = an_app()
    order, client = app.extensions["order"], app.test_client()
    for method, path, seen in (
        ("GET", "/notes/a%2Fb", "view GET notes a/b"),
        ("GET", "/notes/a", "view GET notes a"),
        ("PUT", "/notes/a", "view PUT notes a"),
        ("GET", "/notes/a?rev=1-a", "view GET notes a"),
        ("GET", "/notes/a%2Fb", "view GET notes a/b"),
    ):
        order.clear()
        assert client.open(path, method=method).status_code == 200
        assert seen in order
    for _ in range(2):
        assert client.delete("/notes/a").status_code == 405
        assert client.get("/notes/a/b/c").status_code == 404
    head = client.head("/notes/a")
    assert (head.data, head.headers["Content-Length"]) == (b"", "3")


def test_no_more_paths_are_remembered_than_fit() -> None:
    app = an_app()
    client = app.test_client()
    for number in range(REMEMBERED_PATHS + 10):
        client.get(f"/notes/{number}")
    assert 0 < len(app.paths) <= REMEMBERED_PATHS
