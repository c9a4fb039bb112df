"""What was refused and is kept until an admin settles it, with contents of attachments."""

import sqlalchemy as sa
from alembic import op

revision = "quarantine_0001"
down_revision = None
branch_labels = ("quarantine",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "quarantine",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("database", sa.String(300), nullable=False),
        sa.Column("account", sa.String(200), nullable=False),
        sa.Column("identity", sa.String(64), nullable=False),
        sa.Column("doc_id", sa.Text, nullable=False),
        sa.Column("rev", sa.String(160), nullable=True),
        sa.Column("ancestry", sa.Text, nullable=False),
        sa.Column("is_edit", sa.Boolean, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("device", sa.String(200), nullable=False),
        sa.Column("reason", sa.String(40), nullable=False),
        sa.Column("told", sa.String(40), nullable=False),
        sa.Column("area", sa.String(110), nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("last_received_at", sa.BigInteger, nullable=False),
        sa.Column("times", sa.Integer, nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("assigned_area", sa.String(110), nullable=True),
        sa.Column("assigned_account", sa.String(200), nullable=True),
        sa.Column("settled_by", sa.String(200), nullable=True),
        sa.Column("settled_at", sa.BigInteger, nullable=True),
        sa.Column("note", sa.Text, nullable=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("adopted_rev", sa.String(160), nullable=True),
        sa.Column("plan", sa.Text, nullable=True),
        sa.Column("published", sa.Boolean, nullable=False),
        sa.UniqueConstraint("database", "account", "identity", name="quarantine_identity"),
    )
    op.create_index("quarantine_by_state", "quarantine", ["database", "state", "number"])
    op.create_index("quarantine_by_document", "quarantine", ["database", "doc_id"])
    op.create_index("quarantine_by_account", "quarantine", ["account", "state"])
    op.create_index(
        "quarantine_unpublished",
        "quarantine",
        ["number"],
        sqlite_where=sa.text("NOT published"),
        postgresql_where=sa.text("NOT published"),
    )
    op.create_table(
        "quarantine_attachments",
        sa.Column("entry", sa.Integer, sa.ForeignKey("quarantine.number"), primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("content_type", sa.Text, nullable=False),
        sa.Column("encoding", sa.String(20), nullable=True),
        sa.Column("digest", sa.Text, nullable=True),
        sa.Column("length", sa.BigInteger, nullable=True),
        sa.Column("content", sa.String(64), nullable=True),
    )
    op.create_table(
        "quarantine_contents",
        sa.Column("content", sa.String(64), primary_key=True),
        sa.Column("piece", sa.Integer, primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
