"""What orders wait for, proposals of stock, and the priority of orders."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the tables and the column."""
    op.add_column("orders", sa.Column("priority", sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "stock_waits",
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("sku", sa.Text, nullable=False),
        sa.Column("group_id", sa.Text, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("missing", sa.Boolean, nullable=False),
        sa.Column("partial", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("order_id", "sku", name="pk_stock_waits"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name="fk_stock_waits_order_id_orders"),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_stock_waits_not_negative")),
    )
    op.create_index("ix_stock_waits_missing", "stock_waits", ["sku", "group_id"], postgresql_where=sa.text("missing"))
    op.create_table(
        "proposals",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("group_id", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("told", sa.Boolean, nullable=False, server_default="false"),
        sa.Column("made_at", _INSTANT, nullable=False),
        sa.Column("expires_at", _INSTANT, nullable=False),
        sa.Column("ended_at", _INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_proposals"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name="fk_proposals_order_id_orders"),
    )
    op.create_index(
        "uq_proposals_open", "proposals", ["order_id"], unique=True, postgresql_where=sa.text("status = 'open'")
    )
    op.create_table(
        "proposal_lines",
        sa.Column("proposal_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("sku", sa.Text, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("location_id", sa.Text),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("own", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("proposal_id", "sku", "place", name="pk_proposal_lines"),
        sa.ForeignKeyConstraint(["proposal_id"], ["proposals.id"], name="fk_proposal_lines_proposal_id_proposals"),
        sa.CheckConstraint("quantity > 0 AND own >= 0 AND own <= quantity", name=op.f("ck_proposal_lines_positive")),
    )
    op.create_index("ix_proposal_lines_place", "proposal_lines", ["sku", "place"])


def downgrade() -> None:
    """Take them away; open proposals must have ended before."""
    op.drop_table("proposal_lines")
    op.drop_table("proposals")
    op.drop_table("stock_waits")
    op.drop_column("orders", "priority")
