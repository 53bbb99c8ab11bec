"""Routing: what an attempt finds."""

from activities.candidates import Waiting, group_free, read_candidates, read_waiting
from activities.registry import implements
from activities.scheduling import end, require_planned
from activities.unit import Unit
from orderloom.contracts import actions
from orderloom.contracts.actions import FindRoutes, RouteFound
from orderloom.domain.routing import Candidate, RoutingAnswer, RoutingOutcome, RoutingQuestion, Short
from orderloom.domain.solver import find_routes as search
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
    candidates = await read_candidates(unit, list(demand))
    answer = await _search(unit, waiting, candidates)
    attempt = unit.routing_attempts + 1
    end(unit, command.schedule, "completed", unit.now)
    unit.change_order(routing_attempts=attempt)
    unit.journal("routing.attempted", {"attempt": attempt, "outcome": answer.outcome.value})
    unit.enter(
        routing_attempts,
        {
            "order_id": unit.order.id,
            "number": attempt,
            "schedule": command.schedule,
            "outcome": answer.outcome.value,
            "answer": answer.model_dump(mode="json"),
            "stock": {candidate.location: candidate.stock for candidate in candidates},
            "at": unit.now,
        },
    )
    routed = answer.outcome is RoutingOutcome.ROUTED
    locations = list(answer.routes[0].locations) if routed else []
    return RouteFound(
        outcome=answer.outcome.value,
        attempt=attempt,
        locations=locations[:NAMED],
        splits=max(0, len(locations) - 1),
        retry=not routed and attempt < unit.order.policy.routing.max_attempts,
    )


async def _search(unit: Unit, waiting: Waiting, candidates: tuple[Candidate, ...]) -> RoutingAnswer:
    """Search, unless units that are not reserved exceed what the group has not promised to others."""
    if waiting.open and candidates:
        free = await group_free(unit, sorted(waiting.open))
        short = tuple(
            Short(sku=sku, quantity=quantity - free[sku])
            for sku, quantity in sorted(waiting.open.items())
            if free[sku] < quantity
        )
        if short:
            return RoutingAnswer(outcome=RoutingOutcome.NO_STOCK, short=short)
    return search(
        RoutingQuestion(demand=waiting.demand, locations=candidates, max_splits=unit.order.policy.routing.max_splits)
    )
