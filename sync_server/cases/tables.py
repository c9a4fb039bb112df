"""The tables of cases; `sql/migrations/versions/cases_*.py` make them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData()

cases = Table(
    "cases",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("database", String(300), nullable=False),
    Column("document", String(500), nullable=False),
    Column("type", String(100), nullable=False),
    Column("area", String(210), nullable=False),
    Column("reason", String(40), nullable=False),
    Column("fields", Text, nullable=False),  # JSON: sorted names
    Column("shape", String(32), nullable=False),  # a digest of type and fields
    Column("leaves", Text, nullable=False),  # JSON: sorted revisions
    Column("resolver", String(40), nullable=False),
    Column("state", String(40), nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("closed_by", String(200)),
    Column("closed_at", BigInteger),
)

case_versions = Table(
    "case_versions",
    metadata,
    Column("case_number", Integer, ForeignKey("cases.number"), primary_key=True),
    Column("rev", String(200), primary_key=True),
    Column("role", String(10), primary_key=True),
    Column("deleted", Boolean, nullable=False),
    Column("body", LargeBinary, nullable=False),  # JSON
    Column("speaks_of", Text),  # JSON: the only fields that count; NULL for all
    Column("attachments", Text, nullable=False),  # JSON: name -> metadata
    Column("account", String(200), nullable=False),
    Column("writers", Text, nullable=False),  # JSON: field -> account, where it is another
    Column("device", Text, nullable=False),
    Column("captured_at", BigInteger),
    Column("received_at", BigInteger, nullable=False),
)

case_fields = Table(
    "case_fields",
    metadata,
    Column("case_number", Integer, ForeignKey("cases.number"), primary_key=True),
    Column("field", String(500), primary_key=True),
)

case_authors = Table(
    "case_authors",
    metadata,
    Column("case_number", Integer, ForeignKey("cases.number"), primary_key=True),
    Column("account", String(200), primary_key=True),
)

case_decisions = Table(
    "case_decisions",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("case_number", Integer, ForeignKey("cases.number"), nullable=False),
    Column("database", String(300), nullable=False),
    Column("document", String(500), nullable=False),
    Column("action", String(10), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("device", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("seen", Text, nullable=False),  # JSON: the leaves it was made for
    Column("rev", String(200), nullable=False),  # what it makes of the winner
    Column("details", Text, nullable=False),  # JSON
    # JSON: revisions and notices that are not in the database of documents yet; NULL once they are.
    Column("writes", Text),
    Column("failed", Text),
)

contests = Table(
    "contests",
    metadata,
    Column("database", String(300), primary_key=True),
    Column("contest", String(500), primary_key=True),
    Column("case_number", Integer, ForeignKey("cases.number"), nullable=False),
    Column("notice", String(500), nullable=False),
    Column("account", String(200), nullable=False),
    Column("text", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("withdrawn", Boolean, nullable=False),
)

overrides = Table(
    "overrides",
    metadata,
    Column("database", String(300), primary_key=True),
    Column("document", String(500), primary_key=True),
    Column("rev", String(200), primary_key=True),
    Column("seen", String(32), primary_key=True),  # a digest of the leaves
    Column("at", BigInteger, nullable=False),
    Column("overrides", Text, nullable=False),  # JSON
)


def one_writer(connection: Connection, table: Table) -> None:
    """Whoever looks first and writes then takes turns; on SQLite all writers do anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE"))
