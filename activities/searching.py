"""
Searching for routes: at once where the question is small, and otherwise on the queue for routing.

A search may take seconds of a processor, and an order's worker has one for all its orders. What is too large for it is
left in PostgreSQL as a question; the attempt that asks it does nothing more until the answer lies there, too.
"""

from time import monotonic

from sqlalchemy import bindparam, delete

from activities.transaction import SearchWanted
from activities.unit import Unit
from flows_dsl.policies import holds
from orderloom.contracts.searching import SearchRoutes
from orderloom.domain.router import Attempted, Solve, attempt
from orderloom.domain.routing import RoutingAnswer, RoutingQuestion
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.domain.situation import Situation
from orderloom.domain.solver import find_routes
from orderloom.persistence.situation import read_situation
from orderloom.persistence.tables.fulfillment import routing_searches
from orderloom.persistence.waiting import Waiting

LOCATIONS, LINES = 30, 20
"""An order's own worker searches among so many locations for so many SKUs; with more it takes too long."""
AT_ONCE = 0.2
"""Seconds that an order's own worker searches for one part. It takes some milliseconds."""

_questions = routing_searches.c
_TAKE = (
    delete(routing_searches)
    .where(
        _questions.order_id == bindparam("of_order"),
        _questions.key == bindparam("of_key"),
        _questions.attempted.is_not(None),
    )
    .returning(_questions.situation, _questions.attempted)
)


async def search(unit: Unit, waiting: Waiting) -> tuple[Situation, Attempted]:
    """
    Return what the order's routing policy finds for what waits, and the situation that it looked at.

    Raises:
        SearchWanted: it is too large for here. Nothing of the attempt has been written but the question.
    """
    policy, situation = unit.order.policy.routing, await read_situation(unit, waiting)
    if small(situation):
        return situation, searched(policy, situation, AT_ONCE)
    given = {"of_order": unit.order.id, "of_key": unit.key}
    if (taken := (await unit.read(_TAKE, given)).one_or_none()) is not None:
        return Situation.model_validate(taken.situation), Attempted.model_validate(taken.attempted)
    question = SearchRoutes(order_id=unit.order.id, key=unit.key)
    unit.enter_once(
        routing_searches,
        {
            **question.model_dump(),
            "policy": policy.model_dump(mode="json"),
            "situation": situation.model_dump(mode="json", exclude_defaults=True),
            "at": unit.now,
        },
    )
    raise SearchWanted(question)


def small(situation: Situation) -> bool:
    """Return whether an order's own worker can search for this without keeping others waiting."""
    lines = max((len(part.demand) for part in situation.parts), default=0)
    return len(situation.locations) <= LOCATIONS and lines <= LINES


def searched(policy: RoutingPolicy, situation: Situation, at_most: float | None = None) -> Attempted:
    """Return what *policy* finds; each part takes as long as its question says, or *at_most* so many seconds."""
    return attempt(policy, situation, holds, solver(at_most))


def solver(at_most: float | None = None) -> Solve:
    """Return what answers a question, in the time that it says, or in *at_most* so many seconds."""

    def solve(question: RoutingQuestion) -> RoutingAnswer:
        begun = monotonic()
        if at_most is not None:
            question = question.model_copy(update={"seconds": at_most})
        return find_routes(question, lambda: monotonic() - begun)

    return solve
