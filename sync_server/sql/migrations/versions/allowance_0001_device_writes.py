"""How many revisions each device has written, and on the last day on which it did."""

import sqlalchemy as sa
from alembic import op

revision = "allowance_0001"
down_revision = None
branch_labels = ("allowance",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "device_writes",
        sa.Column("account", sa.String(200), primary_key=True),
        sa.Column("device", sa.String(200), primary_key=True),
        sa.Column("revisions", sa.BigInteger, nullable=False),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("revisions_of_day", sa.BigInteger, nullable=False),
    )
