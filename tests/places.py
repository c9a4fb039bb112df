"""A small gazetteer for tests: two provinces with two communes each, and their villages."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import Engine, insert, select

from sync_server.access.stamp import ChangeStamp
from sync_server.access.tables import gazetteer_units

COMMUNES = ("020301", "020302", "030101", "030102")
VILLAGES = tuple(f"{commune}01" for commune in COMMUNES)


def add_places(sql: Engine, data_dir: Path, communes: Iterable[str] = COMMUNES) -> None:
    """The communes, what they lie in, and a village `01` in each; running services notice."""
    codes = {
        code for commune in communes for code in (commune[:2], commune[:4], commune, f"{commune}01")
    }
    with sql.begin() as connection:
        known = set(connection.execute(select(gazetteer_units.c.code)).scalars())
        for code in sorted(codes - known):
            connection.execute(
                insert(gazetteer_units).values(code=code, name_km=code, name_latin=code)
            )
    ChangeStamp(data_dir / "gazetteer.stamp").touch()
