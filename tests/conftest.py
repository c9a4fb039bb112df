"""Fixtures that every folder of tests shares."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serving import RunningServer


@pytest.fixture(scope="session")
def server() -> Iterator[RunningServer]:
    """The real service, shared by the tests of this run: use database names of your own."""
    with RunningServer() as running:
        yield running
