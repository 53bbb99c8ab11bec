"""Ended proposals and old waves can be removed."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0025"
branch_labels = None
depends_on = None

_PARTS = ("proposal_lines", "proposal_capacity")
_NAMING = ("proposals", "routing_attempts")


def upgrade() -> None:
    """Let what names a wave outlive it, let what a proposal held go with it, and find what is old by an index."""
    for table in _NAMING:
        op.drop_constraint(f"fk_{table}_wave_id_waves", table, type_="foreignkey")
    _parts_refer(ondelete="CASCADE")
    op.create_index("ix_waves_at", "waves", ["at"])
    op.create_index("ix_proposals_ended", "proposals", ["ended_at"], postgresql_where=sa.text("ended_at IS NOT NULL"))


def downgrade() -> None:
    """Refer to waves again; what names one that is gone forgets it."""
    op.drop_index("ix_proposals_ended", "proposals")
    op.drop_index("ix_waves_at", "waves")
    _parts_refer(ondelete=None)
    for table in _NAMING:
        op.execute(f"UPDATE {table} SET wave_id = NULL WHERE wave_id NOT IN (SELECT id FROM waves)")  # noqa: S608  # constants
        op.create_foreign_key(f"fk_{table}_wave_id_waves", table, "waves", ["wave_id"], ["id"])


def _parts_refer(*, ondelete: str | None) -> None:
    for table in _PARTS:
        name = f"fk_{table}_proposal_id_proposals"
        op.drop_constraint(name, table, type_="foreignkey")
        op.create_foreign_key(name, table, "proposals", ["proposal_id"], ["id"], ondelete=ondelete)
