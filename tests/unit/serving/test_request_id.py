"""Every request has an id: the one it came with, if that is sane."""

from __future__ import annotations

import pytest

from sync_server.serving.request_id import request_id


def test_a_request_keeps_its_id() -> None:
    environ: dict[str, object] = {}
    assert request_id(environ) == request_id(environ)
    assert request_id({}) != request_id({})


def test_a_sane_id_is_taken_over() -> None:
    assert request_id({"HTTP_X_REQUEST_ID": "proxy-1.2_3"}) == "proxy-1.2_3"


@pytest.mark.parametrize("sent", ["", "a b", "a\nb", '"', "x" * 65, "é"])
def test_any_other_is_replaced(sent: str) -> None:
    assert request_id({"HTTP_X_REQUEST_ID": sent}) != sent
