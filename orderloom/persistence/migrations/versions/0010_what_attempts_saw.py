"""Attempts keep all that they saw, not only the stock."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop the stock, which is a part of what was seen."""
    op.drop_column("routing_attempts", "stock")


def downgrade() -> None:
    """Bring the column back, empty."""
    op.add_column("routing_attempts", sa.Column("stock", JSONB, nullable=False, server_default="{}"))
    op.alter_column("routing_attempts", "stock", server_default=None)
