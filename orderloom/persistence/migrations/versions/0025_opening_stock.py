"""What was on hand before its changes were noted is noted as an opening."""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """
    Let the changes of each shelf add up to what is on hand.

    An opening is before every count, which would else keep it as something that moved since.
    """
    op.execute(
        """
        INSERT INTO stock_changes (location_id, sku, quantity, cause, at)
        SELECT s.location_id, s.sku, s.on_hand - COALESCE(c.quantity, 0), 'opening', 'epoch'
        FROM stock s LEFT JOIN (
            SELECT location_id, sku, SUM(quantity)::int AS quantity FROM stock_changes GROUP BY location_id, sku) c
            ON c.location_id = s.location_id AND c.sku = s.sku
        WHERE s.on_hand <> COALESCE(c.quantity, 0)
        ORDER BY s.location_id, s.sku
        """
    )


def downgrade() -> None:
    """Leave them: they are true, and nothing minds them."""
