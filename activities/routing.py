"""Routing: what an attempt finds."""

from activities.candidates import read_waiting
from activities.parts import Router, read_parts
from activities.registry import implements
from activities.scheduling import end, require_planned
from activities.unit import Unit
from orderloom.contracts import actions
from orderloom.contracts.actions import FindRoutes, RouteFound
from orderloom.domain.parts import routing_of
from orderloom.domain.routing import RoutingOutcome
from orderloom.persistence.tables.fulfillment import routing_attempts

NAMED = 10
"""How many locations an answer names."""


@implements(actions.find_routes)
async def find_routes(unit: Unit, command: FindRoutes) -> RouteFound:
    """Look for the fewest locations that have all that waits; the schedule is completed, whatever is found."""
    await require_planned(unit, command.schedule)
    waiting = await read_waiting(unit)
    demand = waiting.demand
    if not demand:
        end(unit, command.schedule, "completed", unit.now)
        return RouteFound(outcome="NOTHING_TO_ROUTE", attempt=unit.routing_attempts)
    router = Router(unit, waiting, await read_parts(unit, waiting))
    routing = routing_of(await router.route(), complete=unit.order.ship_complete)
    attempt = unit.routing_attempts + 1
    end(unit, command.schedule, "completed", unit.now)
    unit.change_order(routing_attempts=attempt)
    unit.journal("routing.attempted", {"attempt": attempt, "outcome": routing.outcome.value})
    unit.enter(
        routing_attempts,
        {
            "order_id": unit.order.id,
            "number": attempt,
            "schedule": command.schedule,
            "outcome": routing.outcome.value,
            "answer": routing.model_dump(mode="json"),
            "stock": router.stock,
            "at": unit.now,
        },
    )
    return RouteFound(
        outcome=routing.outcome.value,
        attempt=attempt,
        locations=routing.locations[:NAMED],
        splits=routing.splits,
        retry=routing.outcome is not RoutingOutcome.ROUTED and attempt < unit.order.policy.routing.max_attempts,
    )
