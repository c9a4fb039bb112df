"""The ledger of decisions, and where each proposal stands."""

import sqlalchemy as sa
from alembic import op

revision = "workflow_0001"
down_revision = None
branch_labels = ("workflow",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ledger",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("database", sa.String(300), nullable=False),
        sa.Column("proposal", sa.String(500), nullable=False),
        sa.Column("revision", sa.String(200), nullable=False),
        sa.Column("from_state", sa.String(40)),
        sa.Column("to_state", sa.String(40), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("amount_cents", sa.BigInteger),
        sa.Column("reason", sa.Text),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False, unique=True),
        sa.Column("published", sa.Boolean, nullable=False),
    )
    op.create_index("ledger_by_proposal", "ledger", ["database", "proposal", "number"])
    op.create_index(
        "ledger_unpublished",
        "ledger",
        ["number"],
        sqlite_where=sa.text("NOT published"),
        postgresql_where=sa.text("NOT published"),
    )
    op.create_table(
        "proposals",
        sa.Column("database", sa.String(300), primary_key=True),
        sa.Column("proposal", sa.String(500), primary_key=True),
        sa.Column("household", sa.String(500), nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("sender", sa.String(200), nullable=False),
        sa.Column("area", sa.String(8), nullable=False),
        sa.Column("activity", sa.String(40), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("revision", sa.String(200), nullable=False),
        sa.Column("requested_cents", sa.BigInteger, nullable=False),
        sa.Column("amount_cents", sa.BigInteger),
        sa.Column("reason", sa.Text),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
    )
    op.create_index("proposals_by_household", "proposals", ["database", "household"])
    op.create_index(
        "proposals_queue", "proposals", ["database", "state", "received_at", "proposal"]
    )
