"""How products reach the customer, where delivery groups are picked up, and orders that go out as a whole."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


_DIVIDE = """
    UPDATE routing_attempts a SET answer = jsonb_build_object('outcome', a.outcome, 'parts', jsonb_build_array(
        jsonb_build_object(
            'delivery_group', (SELECT MIN(g.id) FROM delivery_groups g WHERE g.order_id = a.order_id),
            'kind', 'warehouse',
            'demand', COALESCE((
                SELECT jsonb_object_agg(d.sku, d.quantity)
                FROM (SELECT p->>'sku' AS sku, SUM((p->>'quantity')::int) AS quantity
                      FROM jsonb_array_elements(a.answer #> '{routes,0,plan}') p GROUP BY 1) d), '{}'),
            'answer', a.answer)))
"""
"""What was found for an order as a whole is from now on found for the one part that it was."""


def upgrade() -> None:
    """Add the columns; a digital fulfillment order has no location."""
    op.add_column("orders", sa.Column("ship_complete", sa.Boolean, nullable=False, server_default="false"))
    op.add_column("order_lines", sa.Column("fulfilment", sa.Text, nullable=False, server_default="ship"))
    op.add_column("products", sa.Column("fulfilment", sa.Text, nullable=False, server_default="ship"))
    op.add_column("products", sa.Column("supplier_id", sa.Text))
    op.create_foreign_key("fk_products_supplier_id_locations", "products", "locations", ["supplier_id"], ["id"])
    op.add_column("delivery_groups", sa.Column("pickup_location_id", sa.Text))
    op.create_foreign_key(
        "fk_delivery_groups_pickup_location_id_locations",
        "delivery_groups",
        "locations",
        ["pickup_location_id"],
        ["id"],
    )
    op.alter_column("fulfillment_orders", "location_id", nullable=True)
    op.execute(_DIVIDE)


def downgrade() -> None:
    """Take them away; refuses while there are digital fulfillment orders."""
    op.execute("UPDATE routing_attempts SET answer = answer #> '{parts,0,answer}'")
    op.alter_column("fulfillment_orders", "location_id", nullable=False)
    op.drop_column("delivery_groups", "pickup_location_id")
    op.drop_column("products", "supplier_id")
    op.drop_column("products", "fulfilment")
    op.drop_column("order_lines", "fulfilment")
    op.drop_column("orders", "ship_complete")
