"""What an order holds is found by an index of active reservations."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_ACTIVE = sa.text("status = 'active'")


def upgrade() -> None:
    """Have the index by order: it was by SKU, and read through for every transaction of any order."""
    op.drop_index("ix_reservations_active", "reservations")
    op.create_index("ix_reservations_active", "reservations", ["order_id"], postgresql_where=_ACTIVE)


def downgrade() -> None:
    """Have the index by SKU and location again."""
    op.drop_index("ix_reservations_active", "reservations")
    op.create_index("ix_reservations_active", "reservations", ["sku", "location_id"], postgresql_where=_ACTIVE)
