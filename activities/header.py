"""The order's header for expressions (``$order``), made of the sums of its ledgers."""

from collections.abc import Mapping
from datetime import timedelta

from pydantic import TypeAdapter

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
from orderloom.persistence.standing import Standing

_DURATION = TypeAdapter(timedelta)


def header_of(order: OrderRow, standing: Standing, *, seq: int, routing_attempts: int) -> JsonObject:
    """Return the header of *order*, numbered *seq*."""
    header = OrderHeader(
        id=order.id,
        channel=order.channel_id,
        currency=order.currency,
        life_cycle=order.life_cycle,
        status=order_status(quantities(_product_units(standing.units))),
        seq=seq,
        policy=PolicyHeader(
            reserve=order.policy.reserve,
            when_short=order.policy.when_short,
            remorse=duration(order.policy.remorse),
            max_attempts=order.policy.routing.max_attempts,
        ),
        units=_units(standing.units),
        money=_money(standing.funds(), standing.grand_total),
        routing=RoutingHeader(attempts=routing_attempts),
        fulfillment=OpenHeader(open=standing.fulfilling),
        exceptions=OpenHeader(open=standing.exceptions),
    )
    return header.model_dump(mode="json")


def duration(seconds: float) -> str:
    """Return *seconds* as an ISO 8601 duration; ``PT0S`` for none."""
    return _DURATION.dump_python(timedelta(seconds=seconds), mode="json")


def _product_units(units: Mapping[UnitState, int]) -> list[Pool]:
    return [
        Pool(line_id="", account=Account(state=state), quantity=count, amount=0, tax=0)
        for state, count in units.items()
        if state is not UnitState.SOURCE
    ]


def _units(units: Mapping[UnitState, int]) -> UnitsHeader:
    states = [state for state in UnitState if state is not UnitState.SOURCE]
    counts = {state.value: units.get(state, 0) for state in states}
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
