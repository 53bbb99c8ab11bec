"""Fulfillment orders that are held, or whose units have gone into another one."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_COLUMNS = (
    sa.Column("hold_reason", sa.Text),
    sa.Column("successor_id", sa.Text),
)


def upgrade() -> None:
    """Add the columns."""
    for column in _COLUMNS:
        op.add_column("fulfillment_orders", column)


def downgrade() -> None:
    """Take them away."""
    for column in reversed(_COLUMNS):
        op.drop_column("fulfillment_orders", column.name)
