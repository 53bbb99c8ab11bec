"""Changes of safety stock are on record, and each shelf knows when it was counted last."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns. Nobody knows which of the changes of before were counts: the next count is the first."""
    op.add_column("stock", sa.Column("counted_at", sa.DateTime(timezone=True)))
    op.add_column("stock_changes", sa.Column("safety", sa.Integer, nullable=False, server_default="0"))


def downgrade() -> None:
    """Take them away, and the changes that were of safety stock alone."""
    op.execute("DELETE FROM stock_changes WHERE quantity = 0 AND safety <> 0")
    op.drop_column("stock_changes", "safety")
    op.drop_column("stock", "counted_at")
