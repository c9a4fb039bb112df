"""Parts over a service database of their own; no process, no web application."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync_server.parts import Parts, open_parts
from sync_server.settings import Settings


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    parts = open_parts(Settings(data_dir=tmp_path))
    yield parts
    parts.close()
