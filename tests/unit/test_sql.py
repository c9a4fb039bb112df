"""The engine of the service's own database."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from sync_server.sql import open_engine


def test_an_error_does_not_show_what_the_statement_was_given(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'service.db'}")
    with pytest.raises(OperationalError) as caught, engine.begin() as connection:
        connection.execute(text("SELECT * FROM nowhere WHERE a = :hash"), {"hash": "to-look-for"})
    assert "nowhere" in str(caught.value)
    assert "to-look-for" not in str(caught.value)
    engine.dispose()
