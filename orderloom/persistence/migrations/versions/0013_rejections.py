"""What locations turned down, and when."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "location_rejections",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("location_id", sa.Text, nullable=False),
        sa.Column("sku", sa.Text, nullable=False),
        sa.Column("fulfillment_order_id", sa.Text, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("forgotten_at", _INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_location_rejections"),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], name="fk_location_rejections_location_id_locations"),
    )
    op.create_index(
        "ix_location_rejections_recent",
        "location_rejections",
        ["location_id", "sku", "at"],
        postgresql_where="forgotten_at IS NULL",
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_table("location_rejections")
