"""Routing pools and their waves, and the capacity that proposals hold."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the tables and the columns."""
    op.create_table(
        "waves",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("pool", sa.Text, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("orders", sa.Integer, nullable=False),
        sa.Column("routed", sa.Integer),
        sa.Column("partial", sa.Integer),
        sa.Column("unrouted", sa.Integer),
        sa.Column("left_over", sa.Integer),
        sa.Column("splits", sa.Integer),
        sa.PrimaryKeyConstraint("id", name="pk_waves"),
    )
    op.create_index("ix_waves_pool", "waves", ["pool", "id"])
    op.add_column("proposals", sa.Column("wave_id", sa.BigInteger))
    op.add_column("proposals", sa.Column("answer", JSONB))
    op.create_foreign_key("fk_proposals_wave_id_waves", "proposals", "waves", ["wave_id"], ["id"])
    op.create_table(
        "proposal_capacity",
        sa.Column("proposal_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("location_id", sa.Text, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("proposal_id", "location_id", "day", name="pk_proposal_capacity"),
        sa.ForeignKeyConstraint(["proposal_id"], ["proposals.id"], name="fk_proposal_capacity_proposal_id_proposals"),
        sa.CheckConstraint("count > 0", name=op.f("ck_proposal_capacity_positive")),
    )
    op.add_column("routing_attempts", sa.Column("wave_id", sa.BigInteger))
    op.create_foreign_key("fk_routing_attempts_wave_id_waves", "routing_attempts", "waves", ["wave_id"], ["id"])
    op.add_column("routing_schedules", sa.Column("pool", sa.Text))
    op.add_column("routing_schedules", sa.Column("due_at", _INSTANT))
    op.add_column("routing_schedules", sa.Column("wave_by", _INSTANT))
    op.create_index(
        "ix_routing_schedules_pool",
        "routing_schedules",
        ["pool", "due_at"],
        postgresql_where=sa.text("status = 'scheduled' AND pool IS NOT NULL"),
    )


def downgrade() -> None:
    """Take them away; open proposals of waves must have ended before."""
    op.drop_index("ix_routing_schedules_pool", "routing_schedules")
    for column in ("wave_by", "due_at", "pool"):
        op.drop_column("routing_schedules", column)
    op.drop_column("routing_attempts", "wave_id")
    op.drop_table("proposal_capacity")
    op.drop_column("proposals", "answer")
    op.drop_column("proposals", "wave_id")
    op.drop_table("waves")
