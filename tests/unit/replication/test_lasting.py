"""Large answers, of which nobody gets more than they may read while it is sent."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence

import orjson
import pytest
from flask import Flask

from sync_server.access.accounts import Accounts
from sync_server.access.grants import Grants
from sync_server.app import create_app
from sync_server.errors import Forbidden
from sync_server.parts import Parts
from sync_server.settings import Settings
from tests.places import add_places

PASSWORD = "password-1"
HERE, THERE = "020301", "030101"
COUNT = 1200

ANSWERS = ("_changes?include_docs=true", "_all_docs?include_docs=true", "_bulk_get")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    folder = tmp_path_factory.mktemp("lasting")
    app = create_app(Settings(data_dir=folder))
    parts: Parts = app.extensions["sync_server"]
    add_places(parts.sql, folder)
    parts.accounts.create("root", PASSWORD, roles=["admin"])
    parts.store.create("rushit")
    docs = [
        {"_id": f"household:{n}", "type": "household", "village": f"{HERE}01", "x": "y" * 3000}
        for n in range(COUNT)
    ]
    sent = ask(app, "root", "_bulk_docs", {"docs": docs})
    assert len(b"".join(sent)) > COUNT
    yield app
    parts.close()


def ask(app: Flask, name: str, path: str, body: object = None) -> Iterator[bytes]:
    """The answer as it is made."""
    pair = base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()
    answer = app.test_client().open(
        f"/db/rushit/{path}",
        method="GET" if body is None else "POST",
        data=None if body is None else orjson.dumps(body),
        headers={"Authorization": f"Basic {pair}", "Content-Type": "application/json"},
        buffered=False,
    )
    assert answer.status_code in (200, 201), answer.text
    return iter(answer.response)  # type: ignore[call-overload, no-any-return]


def reading(app: Flask, name: str, path: str) -> Iterator[bytes]:
    """An answer that has begun."""
    every = {"docs": [{"id": f"household:{n}"} for n in range(COUNT)]}
    answer = ask(app, name, path, every if path == "_bulk_get" else None)
    assert len(next(answer)) > 1024 * 1024
    return answer


@pytest.fixture
def worker(app: Flask, request: pytest.FixtureRequest) -> tuple[str, Accounts, Grants]:
    parts: Parts = app.extensions["sync_server"]
    name = f"sok{abs(hash(request.node.name))}"
    parts.accounts.create(name, PASSWORD)
    parts.grants.give(name, "cew", "rushit", HERE)
    return name, parts.accounts, parts.grants


Worker = tuple[str, Accounts, Grants]


@pytest.mark.parametrize("path", ANSWERS)
@pytest.mark.parametrize("change", ["disabled", "grant ended", "another grant"])
def test_an_answer_breaks_off_once_it_may_not_be_read_any_more(
    app: Flask, worker: Worker, path: str, change: str
) -> None:
    name, accounts, grants = worker
    answer = reading(app, name, path)
    if change == "disabled":
        accounts.set_disabled(name, True)
    elif change == "grant ended":
        (held,) = grants.find(account=name, database="rushit")
        grants.end(held.grant.number)
    else:
        grants.give(name, "cew", "rushit", THERE)
    with pytest.raises(Forbidden):
        next(answer)


@pytest.mark.parametrize("path", ANSWERS)
@pytest.mark.parametrize("name", ["root", None])
def test_it_goes_on_while_others_come_and_go(
    app: Flask, worker: Worker, path: str, name: Sequence[str] | None
) -> None:
    reader, accounts, grants = worker
    answer = reading(app, "root" if name else reader, path)
    other = f"other-of-{reader}"
    accounts.create(other, PASSWORD)
    grants.give(other, "cew", "rushit", THERE)
    assert b"".join(answer).count(b"household:") > 100
