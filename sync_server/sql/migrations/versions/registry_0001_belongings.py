"""What belongs to which household, and how far documents were located by a gazetteer."""

import sqlalchemy as sa
from alembic import op

revision = "registry_0001"
down_revision = None
branch_labels = ("registry",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "belongings",
        sa.Column("database", sa.String(300), primary_key=True),
        sa.Column("document", sa.String(1100), primary_key=True),
        sa.Column("rank", sa.Integer, primary_key=True),
        sa.Column("owner", sa.String(1100), nullable=False),
    )
    op.create_index("belongings_by_owner", "belongings", ["database", "owner"])
    op.create_table(
        "surveys",
        sa.Column("database", sa.String(300), primary_key=True),
        sa.Column("gazetteer", sa.String(60), nullable=False),
        sa.Column("after", sa.String(1100)),
    )
