"""What locations are like: calendar, capacity, costs, priority."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("locations", sa.Column("traits", JSONB, nullable=False, server_default="{}"))


def downgrade() -> None:
    """Take it away."""
    op.drop_column("locations", "traits")
