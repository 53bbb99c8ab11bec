"""What an exception knows of the flow that waits, and invoices that are void."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("flow_hash", sa.Text),
    ("input", JSONB),
    ("attempts", sa.Integer),
    ("waiting", JSONB),
    ("decision", JSONB),
    ("result", JSONB),
)


def upgrade() -> None:
    """Add the columns; a fulfillment order has one invoice that is not void."""
    for name, type in _COLUMNS:
        op.add_column("process_exceptions", sa.Column(name, type))
    op.add_column("invoices", sa.Column("voided_at", sa.DateTime(timezone=True)))
    op.drop_constraint("uq_invoices_fulfillment_order_id", "invoices")
    op.create_index(
        "uq_invoices_fulfillment_order_id",
        "invoices",
        ["fulfillment_order_id"],
        unique=True,
        postgresql_where="voided_at IS NULL",
    )


def downgrade() -> None:
    """Take them away; void invoices of fulfillment orders that were invoiced again stand in the way."""
    op.drop_index("uq_invoices_fulfillment_order_id", table_name="invoices")
    op.create_unique_constraint("uq_invoices_fulfillment_order_id", "invoices", ["fulfillment_order_id"])
    op.drop_column("invoices", "voided_at")
    for name, _ in reversed(_COLUMNS):
        op.drop_column("process_exceptions", name)
