"""What may be sold ahead, what is, and the order that a reservation went to."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0019"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables and the columns."""
    op.create_table(
        "sell_ahead",
        sa.Column("channel_id", sa.Text, nullable=False),
        sa.Column("sku", sa.Text, nullable=False),
        sa.Column("policy", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("channel_id", "sku", name="pk_sell_ahead"),
    )
    op.create_table(
        "backorders",
        sa.Column("channel_id", sa.Text, nullable=False),
        sa.Column("sku", sa.Text, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("channel_id", "sku", name="pk_backorders"),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_backorders_not_negative")),
    )
    op.add_column("order_lines", sa.Column("sold_ahead", sa.Integer, nullable=False, server_default="0"))
    op.add_column("order_lines", sa.Column("release_at", sa.DateTime(timezone=True)))
    op.add_column("reservation_requests", sa.Column("channel_id", sa.Text))
    op.add_column("reservation_requests", sa.Column("order_id", sa.Text))


def downgrade() -> None:
    """Take them away; no line may be sold ahead any more."""
    op.drop_column("reservation_requests", "order_id")
    op.drop_column("reservation_requests", "channel_id")
    op.drop_column("order_lines", "release_at")
    op.drop_column("order_lines", "sold_ahead")
    op.drop_table("backorders")
    op.drop_table("sell_ahead")
