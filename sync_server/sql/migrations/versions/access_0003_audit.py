"""The audit log of what people did."""

import sqlalchemy as sa
from alembic import op

revision = "access_0003"
down_revision = "access_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("action", sa.String(60), nullable=False),
        sa.Column("subject", sa.String(500), nullable=False),
        sa.Column("database", sa.String(300), nullable=False),
        sa.Column("details", sa.Text, nullable=False),
    )
    op.create_index("audit_by_subject", "audit", ["subject", "number"])
