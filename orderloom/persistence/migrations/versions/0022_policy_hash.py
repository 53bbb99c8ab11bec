"""Attempts keep the hash of the policy that they followed; a published policy is compared by what it says."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the hash from where it is known anyway to where it is not."""
    op.add_column("routing_attempts", sa.Column("policy_hash", sa.Text))
    op.drop_column("routing_policies", "hash")


def downgrade() -> None:
    """Move it back; no policy is told from its like by the hash of a later version."""
    op.add_column("routing_policies", sa.Column("hash", sa.Text, nullable=False, server_default=""))
    op.drop_column("routing_attempts", "policy_hash")
