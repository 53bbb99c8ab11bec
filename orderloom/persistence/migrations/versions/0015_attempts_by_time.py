"""Attempts are read by their time, to try draft policies on them."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    op.create_index("ix_routing_attempts_at", "routing_attempts", ["at", "order_id", "number"])


def downgrade() -> None:
    """Take it away."""
    op.drop_index("ix_routing_attempts_at", "routing_attempts")
