"""The order's header for expressions (``$order``), read in one statement from the ledgers."""

from datetime import timedelta

from pydantic import TypeAdapter
from sqlalchemy import Integer, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.unit import OrderRow
from orderloom.contracts.header import (
    MoneyHeader,
    OpenHeader,
    OrderHeader,
    PolicyHeader,
    RoutingHeader,
    UnitsHeader,
)
from orderloom.domain.funds import OrderFunds
from orderloom.domain.model import JsonObject
from orderloom.domain.order import order_status, quantities
from orderloom.domain.units import Account, Pool, UnitState
from orderloom.persistence.ledgers import FUNDS, FUNDS_TYPES, funds_of

_READ = text(
    f"""
    SELECT {FUNDS},
        (SELECT jsonb_object_agg(u.state, u.units)
         FROM (SELECT e.state, SUM(e.quantity) AS units
               FROM unit_entries e JOIN order_lines l ON l.order_id = e.order_id AND l.id = e.line_id
               WHERE e.order_id = :order_id AND l.kind = 'product' GROUP BY e.state) u) AS units,
        (SELECT COALESCE(SUM(amount + tax), 0)::bigint FROM unit_entries
         WHERE order_id = :order_id AND state NOT IN ('source', 'cancelled', 'returned')) AS grand_total,
        (SELECT COUNT(*)::int FROM fulfillment_orders
         WHERE order_id = :order_id AND status IN ('allocated', 'accepted', 'picked')) AS fulfilling,
        (SELECT COUNT(*)::int FROM process_exceptions
         WHERE order_id = :order_id AND status IN ('new', 'triaged', 'paused')) AS exceptions
    """  # noqa: S608  # constants of this project
).columns(**FUNDS_TYPES, units=JSONB, fulfilling=Integer, exceptions=Integer)

_DURATION = TypeAdapter(timedelta)


async def read_header(conn: AsyncConnection, order: OrderRow, *, seq: int, routing_attempts: int) -> JsonObject:
    """Return the header of *order* as its rows are now, numbered *seq*."""
    row = (await conn.execute(_READ, {"order_id": order.id})).one()
    units: dict[str, int] = row.units or {}
    header = OrderHeader(
        id=order.id,
        channel=order.channel_id,
        currency=order.currency,
        life_cycle=order.life_cycle,
        status=order_status(quantities(_product_units(units))),
        seq=seq,
        policy=PolicyHeader(
            reserve=order.policy.reserve,
            when_short=order.policy.when_short,
            remorse=duration(order.policy.remorse),
            max_attempts=order.policy.routing.max_attempts,
        ),
        units=_units(units),
        money=_money(funds_of(row), row.grand_total),
        routing=RoutingHeader(attempts=routing_attempts),
        fulfillment=OpenHeader(open=row.fulfilling),
        exceptions=OpenHeader(open=row.exceptions),
    )
    return header.model_dump(mode="json")


def duration(seconds: float) -> str:
    """Return *seconds* as an ISO 8601 duration; ``PT0S`` for none."""
    return _DURATION.dump_python(timedelta(seconds=seconds), mode="json")


def _product_units(units: dict[str, int]) -> list[Pool]:
    return [
        Pool(line_id="", account=Account(state=UnitState(state)), quantity=int(count), amount=0, tax=0)
        for state, count in units.items()
        if state != UnitState.SOURCE
    ]


def _units(units: dict[str, int]) -> UnitsHeader:
    states = [state for state in UnitState if state is not UnitState.SOURCE]
    counts = {state.value: int(units.get(state, 0)) for state in states}
    return UnitsHeader(ordered=sum(counts.values()), **counts)


def _money(funds: OrderFunds, grand_total: int) -> MoneyHeader:
    return MoneyHeader(
        grand_total=grand_total,
        ordered=funds.ordered,
        invoiced=funds.invoiced,
        credited=funds.credited,
        authorised=funds.authorised,
        captured=funds.captured,
        applied=funds.applied,
        refunded=funds.refunded,
        # A flow whose first run was lost must decide again as it did, though its intents are written already.
        to_authorize=funds.unauthorised,
        to_reverse=funds.unreversed,
        excess=funds.excess,
    )
