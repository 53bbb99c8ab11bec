"""How far feeds of stock have come, and changes of stock by shelf and time."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table and the index."""
    op.create_table(
        "inventory_feeds",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("lines", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_inventory_feeds"),
    )
    op.create_index("ix_stock_changes_shelf", "stock_changes", ["location_id", "sku", "at"])


def downgrade() -> None:
    """Take them away."""
    op.drop_index("ix_stock_changes_shelf", "stock_changes")
    op.drop_table("inventory_feeds")
