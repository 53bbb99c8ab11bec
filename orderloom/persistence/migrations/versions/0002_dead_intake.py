"""An index of what the relay has given up: whoever watches a deployment counts it again and again."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    op.create_index("ix_intake_dead", "intake", ["id"], postgresql_where="status = 'dead'")


def downgrade() -> None:
    """Take it away."""
    op.drop_index("ix_intake_dead", table_name="intake")
