"""What has become of all orders together: for progress, and for the table at the end of a run."""

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.model import Frozen
from orderloom.persistence.tables.fulfillment import fulfillment_orders, routing_attempts, routing_schedules
from orderloom.persistence.tables.intake import intake
from orderloom.persistence.tables.operations import process_exceptions
from orderloom.persistence.tables.orders import flow_instances, orders
from orderloom.persistence.tables.payments import invoices, payment_intents


class Tally(Frozen):
    """Counts over all orders, and money in minor units (of all currencies together: a demo has one)."""

    orders: int
    fulfillment_orders: int
    shipped: int
    unshipped: int
    """Fulfillment orders that a location still has to finish."""
    invoices: int
    routing_attempts: int
    abandoned: int
    captured: int
    refunded: int
    reversed: int
    under_way: int
    """Flow instances that have not ended, and do not wait for a person."""
    unsettled: int
    """Intents without a definite outcome."""
    undelivered: int
    """Intake rows that no order has answered."""
    exceptions: dict[str, int]
    """Process exceptions by category and code."""

    @property
    def quiet(self) -> bool:
        """Return whether nothing is under way anywhere."""
        return self.under_way == self.unsettled == self.undelivered == 0


def _succeeded(operation: str) -> Select[tuple[int]]:
    intent = payment_intents.c
    amount = func.coalesce(func.sum(intent.amount), 0)
    return select(amount).where(intent.operation == operation, intent.outcome == "succeeded")


_COUNTS = select(
    select(func.count()).select_from(orders).scalar_subquery().label("orders"),
    select(func.count()).select_from(fulfillment_orders).scalar_subquery().label("fulfillment_orders"),
    select(func.count()).where(fulfillment_orders.c.status == "fulfilled").scalar_subquery().label("shipped"),
    select(func.count())
    .where(fulfillment_orders.c.status.in_(("allocated", "accepted", "picked")))
    .scalar_subquery()
    .label("unshipped"),
    select(func.count()).select_from(invoices).scalar_subquery().label("invoices"),
    select(func.count()).select_from(routing_attempts).scalar_subquery().label("routing_attempts"),
    select(func.count()).where(routing_schedules.c.status == "abandoned").scalar_subquery().label("abandoned"),
    _succeeded("capture").scalar_subquery().label("captured"),
    _succeeded("refund").scalar_subquery().label("refunded"),
    _succeeded("reverse").scalar_subquery().label("reversed"),
    select(func.count()).where(flow_instances.c.status == "running").scalar_subquery().label("under_way"),
    select(func.count())
    .where(payment_intents.c.outcome.in_(("requested", "unknown")))
    .scalar_subquery()
    .label("unsettled"),
    select(func.count()).where(intake.c.status == "received").scalar_subquery().label("undelivered"),
)

_EXCEPTIONS = (
    select(process_exceptions.c.category, process_exceptions.c.code, func.count())
    .group_by(process_exceptions.c.category, process_exceptions.c.code)
    .order_by(process_exceptions.c.category, process_exceptions.c.code)
)

_SPLITS = (
    select(func.count().label("locations"))
    .where(fulfillment_orders.c.status != "cancelled")
    .group_by(fulfillment_orders.c.order_id)
    .subquery()
)


async def tally(conn: AsyncConnection) -> Tally:
    """Count everything, in two statements."""
    counts = (await conn.execute(_COUNTS)).mappings().one()
    exceptions = (await conn.execute(_EXCEPTIONS)).all()
    return Tally(**counts, exceptions={f"{category}: {code}": count for category, code, count in exceptions})


async def shipments_per_order(conn: AsyncConnection) -> dict[int, int]:
    """Return how many orders ship from how many locations: ``{1: 180, 2: 16}``."""
    locations = _SPLITS.c.locations
    rows = await conn.execute(select(locations, func.count()).group_by(locations).order_by(locations))
    return dict(rows.all())
