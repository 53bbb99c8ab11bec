"""Who changed what may be sold ahead, when and why."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0024"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the history of the policies; it begins now."""
    op.create_table(
        "sell_ahead_changes",
        sa.Column("number", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("channel_id", sa.Text, nullable=False),
        sa.Column("sku", sa.Text, nullable=False),
        sa.Column("before", JSONB),
        sa.Column("after", JSONB),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_sell_ahead_changes"),
    )
    op.create_index("ix_sell_ahead_changes_of", "sell_ahead_changes", ["sku", "channel_id", "number"])


def downgrade() -> None:
    """Take it away."""
    op.drop_table("sell_ahead_changes")
