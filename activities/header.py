"""The order's header for expressions (``$order``), made of the sums of its ledgers."""

from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache

from pydantic import TypeAdapter

from activities.unit import OrderRow
from orderloom.domain.funds import OrderFunds
from orderloom.domain.model import JsonObject
from orderloom.domain.order import order_status, quantities_of
from orderloom.domain.units import UnitState
from orderloom.persistence.standing import Standing

_DURATION = TypeAdapter(timedelta)
_COUNTED = tuple((state, state.value) for state in UnitState if state is not UnitState.SOURCE)


def header_of(order: OrderRow, standing: Standing, *, seq: int, routing_attempts: int) -> JsonObject:
    """
    Return the header of *order*, numbered *seq*: an ``OrderHeader`` as JSON.

    It is made after every transaction and of what is known to be right: no model checks it.
    """
    return {
        "id": order.id,
        "channel": order.channel_id,
        "currency": order.currency,
        "life_cycle": order.life_cycle,
        "status": order_status(quantities_of(standing.units)).value,
        "seq": seq,
        "policy": {
            "reserve": order.policy.reserve,
            "when_short": order.policy.when_short,
            "remorse": duration(order.policy.remorse),
            "max_attempts": order.policy.routing.max_attempts,
        },
        "units": _units(standing.units),
        "money": _money(standing.funds(), standing.grand_total),
        "routing": {"attempts": routing_attempts},
        "fulfillment": {"open": standing.fulfilling},
        "exceptions": {"open": standing.exceptions},
    }


@lru_cache(maxsize=64)
def duration(seconds: float) -> str:
    """Return *seconds* as an ISO 8601 duration; ``PT0S`` for none."""
    return _DURATION.dump_python(timedelta(seconds=seconds), mode="json")


def _units(units: Mapping[UnitState, int]) -> JsonObject:
    counts = {name: units.get(state, 0) for state, name in _COUNTED}
    return {"ordered": sum(counts.values()), **counts}


def _money(funds: OrderFunds, grand_total: int) -> JsonObject:
    return {
        "grand_total": grand_total,
        "ordered": funds.ordered,
        "invoiced": funds.invoiced,
        "credited": funds.credited,
        "authorised": funds.authorised,
        "captured": funds.captured,
        "applied": funds.applied,
        "refunded": funds.refunded,
        # A flow whose first run was lost must decide again as it did, though its intents are written already.
        "to_authorize": funds.unauthorised,
        "to_reverse": funds.unreversed,
        "excess": funds.excess,
    }
