"""The tables of the foundation: catalog, intake, orders, ledgers, inventory, fulfillment, payments, persons."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the statements of the SQL file beside this one."""
    for statement in Path(__file__).with_suffix(".sql").read_text().split(";\n"):
        if statement.strip():
            op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    """Refuse: there is nothing before the first."""
    raise NotImplementedError("the first migration has nothing to go back to; drop the database instead")
