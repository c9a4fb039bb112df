"""The tables of the workflow; `sql/migrations/versions/workflow_*.py` make them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, MetaData, String, Table, Text

metadata = MetaData()

ledger = Table(
    "ledger",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("database", String(300), nullable=False),
    Column("proposal", String(500), nullable=False),
    Column("revision", String(200), nullable=False),
    Column("from_state", String(40)),
    Column("to_state", String(40), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("amount_cents", BigInteger),
    Column("reason", Text),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    # Not part of the chain: whether the review document tells of this row.
    Column("published", Boolean, nullable=False),
)

proposals = Table(
    "proposals",
    metadata,
    Column("database", String(300), primary_key=True),
    Column("proposal", String(500), primary_key=True),
    Column("household", String(500), nullable=False),
    Column("author", String(200), nullable=False),
    Column("sender", String(200), nullable=False),
    Column("area", String(8), nullable=False),
    Column("activity", String(40), nullable=False),
    Column("state", String(40), nullable=False),
    Column("revision", String(200), nullable=False),
    Column("requested_cents", BigInteger, nullable=False),
    Column("amount_cents", BigInteger),
    Column("reason", Text),
    Column("received_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
)
