"""Signing in: Basic, Bearer, and `_session` with its cookie."""

from __future__ import annotations

import pytest
import requests

from tests.conformance.wire import Wire, WireDatabase


def cookie_of(response: requests.Response) -> dict[str, str]:
    return {"Cookie": f"AuthSession={response.cookies['AuthSession']}"}


def test_basic_signs_in(wire: Wire) -> None:
    assert wire.auth is not None
    context = wire.get("/_session").json()["userCtx"]
    assert context["name"] == wire.auth[0]
    assert "_admin" in context["roles"]


def test_nobody_is_200_with_no_name(anonymous: Wire) -> None:
    response = anonymous.get("/_session")
    assert (response.status_code, response.json()["ok"]) == (200, True)
    assert response.json()["userCtx"]["name"] is None


@pytest.mark.parametrize("as_form", [False, True])
def test_post_gives_a_cookie_that_signs_in(
    wire: Wire, anonymous: Wire, db: WireDatabase, as_form: bool
) -> None:
    assert wire.auth is not None
    fields = {"name": wire.auth[0], "password": wire.auth[1]}
    given = {"data": fields} if as_form else {"json": fields}
    response = requests.post(anonymous.root + "/_session", timeout=60, **given)  # type: ignore[arg-type]
    assert response.status_code == 200, response.text
    assert response.json()["ok"] is True and "_admin" in response.json()["roles"]
    header = response.headers["Set-Cookie"]
    assert "HttpOnly" in header
    signed_in = requests.get(wire.root + db.path, headers=cookie_of(response), timeout=60)
    assert signed_in.status_code == 200
    session = requests.get(wire.root + "/_session", headers=cookie_of(response), timeout=60)
    assert session.json()["userCtx"]["name"] == wire.auth[0]
    assert session.json()["info"]["authenticated"] == "cookie"


@pytest.mark.extension
def test_who_comes_with_a_session_that_has_ended_is_nobody(wire: Wire, anonymous: Wire) -> None:
    header = {"Cookie": "AuthSession=ended"}
    response = anonymous.get("/_session", headers=header)
    assert (response.status_code, response.json()["userCtx"]["name"]) == (200, None)
    wrong = Wire(wire.root, ("admin", "wrong-password"))
    assert wrong.get("/_session", headers=header).status_code == 401


def test_delete_ends_the_session(anonymous: Wire) -> None:
    response = anonymous.delete("/_session")
    assert (response.status_code, response.json()) == (200, {"ok": True})
    assert "AuthSession=;" in response.headers["Set-Cookie"].replace('""', "")


def test_a_wrong_password_is_401(wire: Wire, anonymous: Wire) -> None:
    assert wire.auth is not None
    wrong = {"name": wire.auth[0], "password": "wrong-password"}
    response = anonymous.post("/_session", json=wrong)
    assert (response.status_code, response.json()["error"]) == (401, "unauthorized")
    assert Wire(wire.root, (wire.auth[0], "wrong-password")).get("/_all_dbs").status_code == 401


@pytest.mark.extension
@pytest.mark.parametrize("body", ["", "{}", "[]", '{"name":5,"password":"x"}', '{"name":"x"}'])
def test_a_session_without_name_and_password_is_400(anonymous: Wire, body: str) -> None:
    response = anonymous.post("/_session", data=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400


@pytest.mark.extension
@pytest.mark.parametrize("cookie", ["forged", "", "a.b.c", "\u00e9"])
def test_a_forged_cookie_is_not_signed_in(anonymous: Wire, db: WireDatabase, cookie: str) -> None:
    header = {"Cookie": f"AuthSession={cookie}".encode()}
    assert anonymous.get(db.path, headers=header).status_code == 401


@pytest.mark.extension
def test_bearer_signs_a_tablet_in(wire: Wire, member: Wire, server: object) -> None:
    printed = server.command("account", "token", "cew", "tablet-bearer")  # type: ignore[attr-defined]
    token = next(word for word in printed.split() if len(word) > 30)
    response = Wire(wire.root, None).get("/_session", headers={"Authorization": f"Bearer {token}"})
    assert response.json()["userCtx"]["name"] == "cew"
