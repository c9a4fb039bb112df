"""Cases, the versions they are about, decisions and contests; values that merges did not take."""

import sqlalchemy as sa
from alembic import op

revision = "cases_0001"
down_revision = None
branch_labels = ("cases",)
depends_on = None


def upgrade() -> None:
    _cases()
    _decisions()
    op.create_table(
        "contests",
        sa.Column("database", sa.String(300), primary_key=True),
        sa.Column("contest", sa.String(500), primary_key=True),
        sa.Column("case_number", sa.Integer, sa.ForeignKey("cases.number"), nullable=False),
        sa.Column("notice", sa.String(500), nullable=False),
        sa.Column("account", sa.String(200), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("withdrawn", sa.Boolean, nullable=False),
    )
    op.create_index("contests_by_case", "contests", ["case_number"])
    op.create_table(
        "overrides",
        sa.Column("database", sa.String(300), primary_key=True),
        sa.Column("document", sa.String(500), primary_key=True),
        sa.Column("rev", sa.String(200), primary_key=True),
        sa.Column("seen", sa.String(32), primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("overrides", sa.Text, nullable=False),
    )


def _cases() -> None:
    op.create_table(
        "cases",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("database", sa.String(300), nullable=False),
        sa.Column("document", sa.String(500), nullable=False),
        sa.Column("type", sa.String(100), nullable=False),
        sa.Column("area", sa.String(210), nullable=False),
        sa.Column("reason", sa.String(40), nullable=False),
        sa.Column("fields", sa.Text, nullable=False),
        sa.Column("shape", sa.String(32), nullable=False),
        sa.Column("leaves", sa.Text, nullable=False),
        sa.Column("resolver", sa.String(40), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("closed_by", sa.String(200)),
        sa.Column("closed_at", sa.BigInteger),
    )
    op.create_index("cases_by_document", "cases", ["database", "document"])
    op.create_index("cases_by_state", "cases", ["database", "state", "number"])
    op.create_index(
        "one_open_case_per_document",
        "cases",
        ["database", "document"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "case_versions",
        sa.Column("case_number", sa.Integer, sa.ForeignKey("cases.number"), primary_key=True),
        sa.Column("rev", sa.String(200), primary_key=True),
        sa.Column("role", sa.String(10), primary_key=True),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("speaks_of", sa.Text),
        sa.Column("attachments", sa.Text, nullable=False),
        sa.Column("account", sa.String(200), nullable=False),
        sa.Column("writers", sa.Text, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("captured_at", sa.BigInteger),
        sa.Column("received_at", sa.BigInteger, nullable=False),
    )
    for table, column, kind in (
        ("case_fields", "field", sa.String(500)),
        ("case_authors", "account", sa.String(200)),
    ):
        op.create_table(
            table,
            sa.Column("case_number", sa.Integer, sa.ForeignKey("cases.number"), primary_key=True),
            sa.Column(column, kind, primary_key=True),
        )
        op.create_index(f"{table}_by_{column}", table, [column, "case_number"])


def _decisions() -> None:
    op.create_table(
        "case_decisions",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("case_number", sa.Integer, sa.ForeignKey("cases.number"), nullable=False),
        sa.Column("database", sa.String(300), nullable=False),
        sa.Column("document", sa.String(500), nullable=False),
        sa.Column("action", sa.String(10), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("seen", sa.Text, nullable=False),
        sa.Column("rev", sa.String(200), nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("writes", sa.Text),
        sa.Column("failed", sa.Text),
    )
    op.create_index("case_decisions_by_case", "case_decisions", ["case_number"])
    op.create_index("case_decisions_by_document", "case_decisions", ["database", "document"])
    op.create_index(
        "case_decisions_to_write",
        "case_decisions",
        ["database", "number"],
        sqlite_where=sa.text("writes IS NOT NULL"),
        postgresql_where=sa.text("writes IS NOT NULL"),
    )
