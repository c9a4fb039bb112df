"""Grants: a role in an area for a time; and the gazetteer that areas are made of."""

import sqlalchemy as sa
from alembic import op

revision = "access_0002"
down_revision = "access_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "grants",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("account_id", sa.Integer, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("role", sa.String(40), nullable=False),
        sa.Column("database_name", sa.String(300), nullable=False),
        sa.Column("area", sa.String(8), nullable=False),
        sa.Column("starts_at", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=True),
    )
    op.create_index("grants_by_account", "grants", ["account_id"])
    op.create_index("grants_by_database", "grants", ["database_name", "area"])
    op.create_table(
        "gazetteer_units",
        sa.Column("code", sa.String(8), primary_key=True),
        sa.Column("name_km", sa.String(200), nullable=False),
        sa.Column("name_latin", sa.String(200), nullable=False),
    )
    _grant_what_members_had()


def _grant_what_members_had() -> None:
    """Who had a role of the field was a member of whole databases: that is a grant of all areas."""
    op.execute(
        "INSERT INTO grants (account_id, role, database_name, area, starts_at)"
        " SELECT m.account_id, r.role, m.database_name, '', a.created_at"
        " FROM database_members m JOIN account_roles r ON r.account_id = m.account_id"
        " JOIN accounts a ON a.id = m.account_id WHERE r.role IN ('cew', 'coordinator')"
    )
    op.execute(
        "DELETE FROM database_members WHERE account_id IN"
        " (SELECT account_id FROM account_roles WHERE role IN ('cew', 'coordinator'))"
    )
    op.execute("DELETE FROM account_roles WHERE role IN ('cew', 'coordinator')")
