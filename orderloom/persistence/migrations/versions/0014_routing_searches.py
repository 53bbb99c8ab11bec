"""Questions of routing attempts that are too large for an order's own worker."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table of questions and their answers."""
    op.create_table(
        "routing_searches",
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("policy", JSONB, nullable=False),
        sa.Column("situation", JSONB, nullable=False),
        sa.Column("attempted", JSONB),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("order_id", "key", name="pk_routing_searches"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name="fk_routing_searches_order_id_orders"),
    )


def downgrade() -> None:
    """Take it away; attempts that wait for an answer ask again."""
    op.drop_table("routing_searches")
