"""Owners, deadlines and changes of process exceptions, and numbers of those that belong to no order."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)
_TABLE = "process_exceptions"


def upgrade() -> None:
    """Add the columns, the history and the indexes."""
    op.execute(sa.schema.CreateSequence(sa.Sequence("exception_number", start=1001)))
    op.add_column(_TABLE, sa.Column("owner", sa.Text))
    op.add_column(_TABLE, sa.Column("deadline", _INSTANT))
    op.add_column(_TABLE, sa.Column("escalated_at", _INSTANT))
    op.create_index("ix_process_exceptions_raised", _TABLE, ["created_at", "id"])
    op.create_index(
        "ix_process_exceptions_deadline",
        _TABLE,
        ["deadline"],
        postgresql_where=sa.text("status IN ('new', 'triaged') AND escalated_at IS NULL"),
    )
    op.create_index(
        "ix_fulfillment_orders_unaccepted",
        "fulfillment_orders",
        ["created_at"],
        postgresql_where=sa.text("status = 'allocated'"),
    )
    op.create_table(
        "exception_changes",
        sa.Column("exception_id", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("changes", JSONB, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("exception_id", "number", name="pk_exception_changes"),
        sa.ForeignKeyConstraint(
            ["exception_id"], [f"{_TABLE}.id"], name="fk_exception_changes_exception_id_process_exceptions"
        ),
    )


def downgrade() -> None:
    """Take them away."""
    op.drop_table("exception_changes")
    op.drop_index("ix_fulfillment_orders_unaccepted", "fulfillment_orders")
    op.drop_index("ix_process_exceptions_deadline", _TABLE)
    op.drop_index("ix_process_exceptions_raised", _TABLE)
    for column in ("escalated_at", "deadline", "owner"):
        op.drop_column(_TABLE, column)
    op.execute(sa.schema.DropSequence(sa.Sequence("exception_number")))
