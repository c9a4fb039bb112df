"""The tables of accounts and areas; their migrations are in `sql/migrations/versions/`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, MetaData, String, Table, Text

metadata = MetaData()

accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("password_hash", String(300), nullable=False),
    # Goes up when credentials change, which ends sessions and cached sign-ins made before.
    Column("credential_epoch", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("disabled_at", BigInteger),
)

account_roles = Table(
    "account_roles",
    metadata,
    Column("account_id", Integer, ForeignKey("accounts.id"), primary_key=True),
    Column("role", String(40), primary_key=True),
)

device_tokens = Table(
    "device_tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", Integer, ForeignKey("accounts.id"), nullable=False),
    Column("device", String(200), nullable=False),
    Column("secret_sha256", String(64), nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
)

database_members = Table(
    "database_members",
    metadata,
    Column("account_id", Integer, ForeignKey("accounts.id"), primary_key=True),
    Column("database_name", String(300), primary_key=True),
)

grants = Table(
    "grants",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("account_id", Integer, ForeignKey("accounts.id"), nullable=False),
    Column("role", String(40), nullable=False),
    Column("database_name", String(300), nullable=False),
    Column("area", String(8), nullable=False),
    Column("starts_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger),
)

gazetteer_units = Table(
    "gazetteer_units",
    metadata,
    # 2 digits a province, 4 a district, 6 a commune, 8 a village.
    Column("code", String(8), primary_key=True),
    Column("name_km", String(200), nullable=False),
    Column("name_latin", String(200), nullable=False),
)

gazetteer_imports = Table(
    "gazetteer_imports",
    metadata,
    # The latest is what `gazetteer_units` holds; nothing is left of those before it.
    Column("number", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("source", String(300), nullable=False),
    Column("edition", String(100), nullable=False),
    Column("rejected", Integer, nullable=False),
)

account_pins = Table(
    "account_pins",
    metadata,
    # Of accounts whose password is a PIN.
    Column("account_id", Integer, ForeignKey("accounts.id"), primary_key=True),
    Column("set_at", BigInteger, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("action", String(60), nullable=False),
    Column("subject", String(500), nullable=False),
    Column("database", String(300), nullable=False),
    Column("details", Text, nullable=False),  # JSON
)

service_secrets = Table(
    "service_secrets",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("value", String(200), nullable=False),
)
