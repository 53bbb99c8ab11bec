"""Releases of channels with their history, what they were made of, and where moved instances went on."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the tables and columns."""
    op.add_column("releases", sa.Column("sources", JSONB))
    op.add_column("flow_instances", sa.Column("moved", JSONB))
    op.create_table(
        "flow_sources",
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("published_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", "version", name="pk_flow_sources"),
    )
    op.create_table(
        "activations",
        sa.Column("channel_id", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("release", sa.Text, nullable=False),
        sa.Column("previous", sa.Text),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("channel_id", "number", name="pk_activations"),
        sa.ForeignKeyConstraint(["channel_id"], ["channels.id"], name="fk_activations_channel_id_channels"),
        sa.ForeignKeyConstraint(["release"], ["releases.hash"], name="fk_activations_release_releases"),
        sa.ForeignKeyConstraint(["previous"], ["releases.hash"], name="fk_activations_previous_releases"),
    )


def downgrade() -> None:
    """Take them away."""
    op.drop_table("activations")
    op.drop_table("flow_sources")
    op.drop_column("flow_instances", "moved")
    op.drop_column("releases", "sources")
