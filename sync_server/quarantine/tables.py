"""The tables of quarantine; `sql/migrations/versions/quarantine_*.py` make them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

entries = Table(
    "quarantine",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("database", String(300), nullable=False),
    # The same content by the same account is the same entry: SHA-256 of what was sent.
    Column("account", String(200), nullable=False),
    Column("identity", String(64), nullable=False),
    Column("doc_id", Text, nullable=False),
    Column("rev", String(160)),  # as sent: the revision itself, or the parent of an edit
    Column("ancestry", Text, nullable=False),  # JSON: ids of `rev` and above, newest first
    Column("is_edit", Boolean, nullable=False),  # the server was to make the revision
    Column("deleted", Boolean, nullable=False),
    Column("document", LargeBinary, nullable=False),  # JSON, contents of attachments left out
    Column("size", BigInteger, nullable=False),  # bytes, contents included
    Column("device", String(200), nullable=False),
    Column("reason", String(40), nullable=False),
    Column("told", String(40), nullable=False),  # the reason that the author is told
    Column("area", String(110), nullable=False),  # where it would stand
    Column("received_at", BigInteger, nullable=False),
    Column("last_received_at", BigInteger, nullable=False),
    Column("times", Integer, nullable=False),
    Column("state", String(40), nullable=False),
    Column("assigned_area", String(110)),
    Column("assigned_account", String(200)),
    Column("settled_by", String(200)),
    Column("settled_at", BigInteger),
    Column("note", Text),
    Column("version", Integer, nullable=False),  # goes up with every step
    # Of an adoption: the revision that is made, and how, as JSON (see adoption.py).
    Column("adopted_rev", String(160)),
    Column("plan", Text),
    # Whether storage has what this row says: the adopted revision, and the author's notice.
    Column("published", Boolean, nullable=False),
)

attachments = Table(
    "quarantine_attachments",
    metadata,
    Column("entry", Integer, ForeignKey("quarantine.number"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("content_type", Text, nullable=False),
    Column("encoding", String(20)),
    Column("digest", Text),  # md5-…; of a stub, as it claims
    Column("length", BigInteger),  # bytes as sent; NULL for a stub
    Column("content", String(64)),  # SHA-256; NULL for a stub that nothing was found for
)

contents = Table(
    "quarantine_contents",
    metadata,
    # In pieces, so that nobody needs to hold a whole photo to read or write it.
    Column("content", String(64), primary_key=True),
    Column("piece", Integer, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)
