"""Routing: what an attempt finds."""

from activities.awaiting import give_back, held_for, proposed, stop_waiting, wait_for_stock
from activities.registry import implements
from activities.scheduling import end, may_retry, note_attempt, require_planned
from activities.searching import search
from activities.unit import Unit
from orderloom.contracts import actions
from orderloom.contracts.actions import FindRoutes, RouteFound
from orderloom.domain.routing import RoutingOutcome
from orderloom.domain.waves import Found
from orderloom.persistence.tables.fulfillment import routing_attempts
from orderloom.persistence.waiting import Waiting, read_waiting

NAMED = 10
"""How many locations an answer names."""


@implements(actions.find_routes)
async def find_routes(unit: Unit, command: FindRoutes) -> RouteFound:
    """Look for the best route of all that waits by the order's policy; the schedule is completed, whatever is found."""
    schedule = await require_planned(unit, command.schedule)
    waiting = await read_waiting(unit)
    if not waiting.demand:
        if schedule.waits or schedule.proposed:
            await stop_waiting(unit)
        end(unit, command.schedule, "completed", unit.now)
        return RouteFound(outcome="NOTHING_TO_ROUTE", attempt=unit.routing_attempts)
    found = await _find(unit, waiting, proposal_open=schedule.proposed)
    routing = found.attempted.routing
    whole = routing.outcome is RoutingOutcome.ROUTED
    if schedule.waits or not whole:
        await wait_for_stock(unit, waiting, routing)
    attempt = unit.routing_attempts + 1
    end(unit, command.schedule, "completed", unit.now)
    unit.change_order(routing_attempts=attempt)
    note_attempt(unit, schedule, attempt, routing.outcome.value)
    unit.enter(
        routing_attempts,
        {
            "order_id": unit.order.id,
            "number": attempt,
            "schedule": command.schedule,
            "outcome": routing.outcome.value,
            "answer": routing.model_dump(mode="json"),
            "policy": unit.order.policy.routing.label,
            "seen": found.seen.model_dump(mode="json", exclude_defaults=True),
            "fates": [
                [fate.model_dump(mode="json", exclude_defaults=True) for fate in part] for part in found.attempted.fates
            ],
            "at": unit.now,
        },
    )
    return RouteFound(
        outcome=routing.outcome.value,
        attempt=attempt,
        locations=routing.locations[:NAMED],
        splits=routing.splits,
        retry=not whole and await may_retry(unit),
    )


async def _find(unit: Unit, waiting: Waiting, *, proposal_open: bool) -> Found:
    """Return what a wave proposes, or what is found now; what is held for the order and of no use is released."""
    held = await held_for(unit) if proposal_open else None
    if held is not None and held.wave is not None:
        found = proposed(held, waiting)
        if found is None or not found.attempted.routing.carried_out:
            await give_back(unit, held)
        if found is not None:
            return found
        held = None
    situation, attempted = await search(unit, waiting)
    found = Found(seen=situation, attempted=attempted)
    if held is not None and not found.attempted.routing.carried_out:
        await give_back(unit, held)
    return found
