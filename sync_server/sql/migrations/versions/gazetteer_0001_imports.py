"""From where and when the gazetteer was imported."""

import sqlalchemy as sa
from alembic import op

revision = "gazetteer_0001"
down_revision = None
branch_labels = ("gazetteer",)
depends_on = ("access_0002",)


def upgrade() -> None:
    op.create_table(
        "gazetteer_imports",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("source", sa.String(300), nullable=False),
        sa.Column("edition", sa.String(100), nullable=False),
        sa.Column("rejected", sa.Integer, nullable=False),
    )
