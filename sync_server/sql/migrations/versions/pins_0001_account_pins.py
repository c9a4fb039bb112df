"""Which accounts sign in with a PIN."""

import sqlalchemy as sa
from alembic import op

revision = "pins_0001"
down_revision = None
branch_labels = ("pins",)
depends_on = ("access_0001",)


def upgrade() -> None:
    op.create_table(
        "account_pins",
        sa.Column("account_id", sa.Integer, sa.ForeignKey("accounts.id"), primary_key=True),
        sa.Column("set_at", sa.BigInteger, nullable=False),
    )
