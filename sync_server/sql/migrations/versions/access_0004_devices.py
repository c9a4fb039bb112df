"""Devices as things of their own, codes that enrol them, and sign-ins that failed."""

import sqlalchemy as sa
from alembic import op

revision = "access_0004"
down_revision = "access_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "devices",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("account_id", sa.Integer, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("enrolled_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
        sa.Column("revoke_reason", sa.Text),
        sa.Column("readmitted_at", sa.BigInteger),
        sa.Column("last_seen_at", sa.BigInteger),
        sa.Column("client", sa.String(60), nullable=False, server_default=""),
        sa.Column("app_version", sa.String(60), nullable=False, server_default=""),
        sa.Column("clock_skew_ms", sa.BigInteger),
        sa.Column("pushed", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("refused", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("conflicting", sa.BigInteger, nullable=False, server_default="0"),
        sa.UniqueConstraint("account_id", "name", name="device_name"),
    )
    op.create_table(
        "acknowledgements",
        sa.Column("device_id", sa.Integer, sa.ForeignKey("devices.id"), primary_key=True),
        sa.Column("database_name", sa.String(300), primary_key=True),
        sa.Column("sequence", sa.String(300), nullable=False),
        sa.Column("acknowledged_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "enrolments",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("code_sha256", sa.String(64), nullable=False, unique=True),
        sa.Column("account_id", sa.Integer, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("device", sa.String(200), nullable=False),
        sa.Column("database_name", sa.String(300), nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "attempts",
        sa.Column("name_sha256", sa.String(64), primary_key=True),
        sa.Column("address", sa.String(60), primary_key=True),
        sa.Column("level", sa.Float, nullable=False),
        sa.Column("counted_at", sa.BigInteger, nullable=False),
        sa.Column("blocked_until", sa.BigInteger, nullable=False),
        sa.Column("known_until", sa.BigInteger, nullable=False),
        sa.Column("keep_until", sa.BigInteger, nullable=False),
    )
    op.create_index("attempts_to_keep", "attempts", ["keep_until"])
    _devices_of_tokens()


def _devices_of_tokens() -> None:
    """Each device that was given a token: enrolled with its latest, revoked if all were."""
    op.execute(
        "INSERT INTO devices (account_id, name, enrolled_at, revoked_at)"
        " SELECT account_id, device, max(created_at),"
        " CASE WHEN count(*) = count(revoked_at) THEN max(revoked_at) END"
        " FROM device_tokens GROUP BY account_id, device"
    )
