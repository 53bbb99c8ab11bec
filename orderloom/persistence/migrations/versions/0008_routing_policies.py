"""Published routing policies, which channel used which when, and what attempts saw of locations."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the tables and columns."""
    op.create_table(
        "routing_policies",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("document", JSONB, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("published_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("name", "version", name="pk_routing_policies"),
    )
    op.create_table(
        "policy_activations",
        sa.Column("channel_id", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("previous", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("channel_id", "number", name="pk_policy_activations"),
        sa.ForeignKeyConstraint(["channel_id"], ["channels.id"], name="fk_policy_activations_channel_id_channels"),
        sa.ForeignKeyConstraint(
            ["name", "version"],
            ["routing_policies.name", "routing_policies.version"],
            name="fk_policy_activations_name_version_routing_policies",
        ),
    )
    op.add_column("routing_attempts", sa.Column("policy", sa.Text, nullable=False, server_default="default:1.0.0"))
    op.add_column("routing_attempts", sa.Column("seen", JSONB))
    op.add_column("routing_attempts", sa.Column("fates", JSONB))


def downgrade() -> None:
    """Take them away."""
    op.drop_column("routing_attempts", "fates")
    op.drop_column("routing_attempts", "seen")
    op.drop_column("routing_attempts", "policy")
    op.drop_table("policy_activations")
    op.drop_table("routing_policies")
