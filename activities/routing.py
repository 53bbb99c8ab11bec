"""Routing: what an attempt finds."""

from dataclasses import replace

from activities.allocating import JUST_FOUND, Found
from activities.awaiting import found_by_wave, held_for, offer_released, stop_waiting, wait_for_stock
from activities.registry import implements
from activities.scheduling import end, may_retry, note_attempt, require_planned, woken
from activities.searching import search
from activities.unit import Unit
from orderloom.contracts import actions
from orderloom.contracts.actions import FindRoutes, RouteFound
from orderloom.domain.model import JsonObject
from orderloom.domain.routing import RoutingOutcome
from orderloom.persistence.tables.fulfillment import routing_attempts
from orderloom.persistence.waiting import read_waiting

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
        return RouteFound(
            outcome="NOTHING_TO_ROUTE", attempt=unit.routing_attempts, retry=waiting.held_until is not None
        )
    if not schedule.proposed and await offer_released(unit, waiting):
        schedule = replace(schedule, proposed=True)
    found = await found_by_wave(unit, waiting, schedule.answer) if schedule.wave else None
    situation, attempted = await search(unit, waiting) if found is None else found
    routing = attempted.routing
    held = await held_for(unit) if schedule.proposed and not routing.carried_out else None
    whole = routing.outcome is RoutingOutcome.ROUTED
    if schedule.waits or not whole:
        await wait_for_stock(unit, waiting, routing, situation, held=held)
    attempt = unit.routing_attempts + 1
    end(unit, command.schedule, "completed", unit.now)
    unit.change_order(routing_attempts=attempt)
    if not (schedule.proposed or schedule.waits):
        capacities = {each.id: each.traits for each in situation.locations if each.traits.capacity is not None}
        unit.remember(JUST_FOUND, Found(attempt=attempt, routing=routing, limited=capacities))
    wave = schedule.wave if found else None
    made: JsonObject = {"attempt": attempt, "outcome": routing.outcome.value}
    note_attempt(unit, schedule, made if wave is None else {**made, "wave": wave})
    again = whole or await may_retry(unit)
    unit.enter(
        routing_attempts,
        {
            "order_id": unit.order.id,
            "number": attempt,
            "schedule": command.schedule,
            "outcome": routing.outcome.value,
            "answer": routing.model_dump(mode="json"),
            "policy": unit.order.policy.routing.label,
            "policy_hash": unit.order.policy.routing.hash,
            "seen": situation.model_dump(mode="json", exclude_defaults=True),
            "fates": [
                [fate.model_dump(mode="json", exclude_defaults=True) for fate in part] for part in attempted.fates
            ],
            "at": unit.now,
            "wave_id": wave,
        },
    )
    return RouteFound(
        outcome=routing.outcome.value,
        attempt=attempt,
        locations=routing.locations[:NAMED],
        splits=routing.splits,
        retry=waiting.held_until is not None or (not whole and again),
        exhausted=waiting.held_until is not None and not again and not woken(unit, schedule),
    )
