"""How many revisions each device has written."""

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
    )
