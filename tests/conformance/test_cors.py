"""CORS, for the origins that the settings name."""

from __future__ import annotations

import pytest

from tests.conformance.wire import Wire

pytestmark = pytest.mark.extension

ORIGIN = "https://tablet.example.org"


def test_a_configured_origin_may_read_with_credentials(limited: Wire) -> None:
    response = limited.get("/_session", headers={"Origin": ORIGIN})
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    assert "Origin" in response.headers["Vary"]


def test_errors_can_be_read_too(limited: Wire) -> None:
    response = limited.get("/nothing-here", headers={"Origin": ORIGIN})
    assert response.status_code == 404
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN


@pytest.mark.parametrize("path", ["/any", "/any/doc", "/any/_changes", "/any/_bulk_docs", "/"])
def test_a_preflight_is_answered_without_signing_in(limited: Wire, path: str) -> None:
    headers = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization, content-type",
    }
    response = Wire(limited.root, None)("OPTIONS", path, headers=headers)
    assert response.status_code in (200, 204)
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "PUT" in response.headers["Access-Control-Allow-Methods"]
    assert "authorization" in response.headers["Access-Control-Allow-Headers"].lower()


@pytest.mark.parametrize("origin", ["https://evil.example.org", "null", "*", ""])
def test_another_origin_is_told_nothing(limited: Wire, origin: str) -> None:
    response = limited.get("/", headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in response.headers


def test_never_a_star(limited: Wire) -> None:
    for headers in ({}, {"Origin": ORIGIN}):
        response = limited.get("/", headers=headers)
        assert response.headers.get("Access-Control-Allow-Origin") != "*"


def test_without_configured_origins_there_is_no_cors(wire: Wire, server: object) -> None:
    response = wire.get("/", headers={"Origin": ORIGIN})
    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("name", ["content-encoding", "if-none-match", "range", "last-event-id"])
def test_a_page_may_send_what_the_protocol_takes(limited: Wire, name: str) -> None:
    headers = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": name,
    }
    response = limited("OPTIONS", "/any/_bulk_docs", headers=headers)
    allowed = response.headers["Access-Control-Allow-Headers"].split(", ")
    assert name in allowed
