"""Capacity of locations by day."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table, and the day that a fulfillment order counts on."""
    op.add_column("fulfillment_orders", sa.Column("capacity_day", sa.Date))
    op.create_table(
        "location_capacity",
        sa.Column("location_id", sa.Text, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("held", sa.Integer, nullable=False, server_default="0"),
        sa.Column("assigned", sa.Integer, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("location_id", "day", name="pk_location_capacity"),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], name="fk_location_capacity_location_id_locations"),
        sa.CheckConstraint("held >= 0 AND assigned >= 0", name="not_negative"),
    )


def downgrade() -> None:
    """Take them away."""
    op.drop_table("location_capacity")
    op.drop_column("fulfillment_orders", "capacity_day")
