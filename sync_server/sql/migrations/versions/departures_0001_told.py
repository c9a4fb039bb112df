"""Which documents an account was told to forget."""

import sqlalchemy as sa
from alembic import op

revision = "departures_0001"
down_revision = None
branch_labels = ("departures",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "departures",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("database", sa.String(300), nullable=False),
        sa.Column("account", sa.String(200), nullable=False),
        sa.Column("document", sa.String(1100), nullable=False),
        sa.Column("revision", sa.String(200), nullable=False),
    )
    op.create_index("departures_by_document", "departures", ["database", "account", "document"])
    op.create_index("departures_by_account", "departures", ["database", "account", "number"])
