"""Routing schedules are listed by status and date, page by page."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Put the index for all statuses in place of that for planned ones."""
    op.create_index(
        "ix_routing_schedules_status", "routing_schedules", ["status", "scheduled_at", "order_id", "number"]
    )
    op.drop_index("ix_routing_schedules_due", "routing_schedules")


def downgrade() -> None:
    """Put the other one back."""
    planned = sa.text("status = 'scheduled'")
    op.create_index("ix_routing_schedules_due", "routing_schedules", ["scheduled_at"], postgresql_where=planned)
    op.drop_index("ix_routing_schedules_status", "routing_schedules")
