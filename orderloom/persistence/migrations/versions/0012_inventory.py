"""Reservations that belong to no order, expected receipts, and requests that are done once."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the tables and columns."""
    op.create_table(
        "reservation_requests",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("promise", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("expires_at", _INSTANT),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reservation_requests"),
    )
    op.create_index("ix_reservation_requests_owner", "reservation_requests", ["owner"])
    op.create_index(
        "ix_reservation_requests_expiring",
        "reservation_requests",
        ["expires_at"],
        postgresql_where=sa.text("status = 'active'"),
    )
    op.create_table(
        "inventory_requests",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("answer", JSONB),
        sa.Column("at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_inventory_requests"),
    )
    op.create_table(
        "expected_receipts",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("location_id", sa.Text, nullable=False),
        sa.Column("sku", sa.Text, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("expected_at", _INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_expected_receipts"),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_expected_receipts_positive")),
        sa.ForeignKeyConstraint(
            ["location_id", "sku"],
            ["stock.location_id", "stock.sku"],
            name="fk_expected_receipts_location_id_sku_stock",
        ),
    )
    op.create_index("ix_expected_receipts_stock", "expected_receipts", ["location_id", "sku", "expected_at"])
    op.execute(
        "INSERT INTO expected_receipts (id, location_id, sku, quantity) "
        "SELECT 'loaded:' || location_id || ':' || sku, location_id, sku, future FROM stock WHERE future > 0"
    )
    op.add_column("reservations", sa.Column("request_id", sa.Text))
    op.create_foreign_key(
        "fk_reservations_request_id_reservation_requests",
        "reservations",
        "reservation_requests",
        ["request_id"],
        ["id"],
    )
    for column in ("order_id", "line_id", "group_id"):
        op.alter_column("reservations", column, nullable=True)
    op.create_check_constraint(
        op.f("ck_reservations_one_owner"), "reservations", "(order_id IS NULL) <> (request_id IS NULL)"
    )
    op.create_index(
        "ix_reservations_request",
        "reservations",
        ["request_id"],
        postgresql_where=sa.text("request_id IS NOT NULL"),
    )


def downgrade() -> None:
    """Take them away, with the reservations that belong to no order."""
    op.execute("DELETE FROM reservations WHERE order_id IS NULL")
    op.drop_column("reservations", "request_id")
    for column in ("order_id", "line_id", "group_id"):
        op.alter_column("reservations", column, nullable=False)
    for table in ("expected_receipts", "inventory_requests", "reservation_requests"):
        op.drop_table(table)
