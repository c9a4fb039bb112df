"""The tables of devices and of sign-ins; `sql/migrations/versions/access_0004_devices.py` makes
them.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Integer, String, Table, Text

from sync_server.access.tables import metadata

devices = Table(
    "devices",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", Integer, ForeignKey("accounts.id"), nullable=False),
    # Unique per account: several accounts that share a tablet each have a row for it.
    Column("name", String(200), nullable=False),
    Column("enrolled_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    Column("revoke_reason", Text),
    # When it was enrolled again after a revocation; NULL where it never was revoked.
    Column("readmitted_at", BigInteger),
    Column("last_seen_at", BigInteger),
    Column("client", String(60), nullable=False),
    Column("app_version", String(60), nullable=False),
    Column("clock_skew_ms", BigInteger),
    Column("pushed", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("conflicting", BigInteger, nullable=False),
)

acknowledgements = Table(
    "acknowledgements",
    metadata,
    Column("device_id", Integer, ForeignKey("devices.id"), primary_key=True),
    Column("database_name", String(300), primary_key=True),
    # Opaque, as the document store gave it.
    Column("sequence", String(300), nullable=False),
    Column("acknowledged_at", BigInteger, nullable=False),
)

enrolments = Table(
    "enrolments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("code_sha256", String(64), nullable=False, unique=True),
    Column("account_id", Integer, ForeignKey("accounts.id"), nullable=False),
    Column("device", String(200), nullable=False),
    Column("database_name", String(300), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    # SHA-256: people type passwords into the field for names. Empty: of any name.
    Column("name_sha256", String(64), primary_key=True),
    # An address, or the /64 network of an IPv6 one. Empty: from any.
    Column("address", String(60), primary_key=True),
    # How many failures count, at `counted_at`; they are forgotten with time.
    Column("level", Float, nullable=False),
    Column("counted_at", BigInteger, nullable=False),
    Column("blocked_until", BigInteger, nullable=False),
    # Until when this name counts as known at this address: it has signed in from there.
    Column("known_until", BigInteger, nullable=False),
    Column("keep_until", BigInteger, nullable=False),
)
