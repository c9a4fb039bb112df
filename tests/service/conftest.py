"""A server that a test may stop and kill."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serving import RunningServer


@pytest.fixture
def own_server() -> Iterator[RunningServer]:
    with RunningServer(web_workers="2") as running:
        yield running
