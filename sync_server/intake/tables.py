"""What the intake keeps for itself; `sql/migrations/versions/registry_*.py` make the tables."""

from __future__ import annotations

from sqlalchemy import Column, Integer, MetaData, String, Table

metadata = MetaData()

belongings = Table(
    "belongings",
    metadata,
    Column("database", String(300), primary_key=True),
    Column("document", String(1100), primary_key=True),
    # 0 is what the document belongs to first of all.
    Column("rank", Integer, primary_key=True),
    Column("owner", String(1100), nullable=False),
)

surveys = Table(
    "surveys",
    metadata,
    Column("database", String(300), primary_key=True),
    Column("gazetteer", String(60), nullable=False),
    # The id up to which everything was looked at; NULL once all of it was.
    Column("after", String(1100)),
)
