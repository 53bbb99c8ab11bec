"""The activity that routes a wave: reads the due orders of a pool, routes them elsewhere, and holds what goes out."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity

from activities.beating import heard_of
from activities.processors import Processors
from activities.searching import AT_ONCE, solver
from flows_dsl.policies import holds
from orderloom.bootstrap.clock import Clock, VirtualClock
from orderloom.contracts.pools import ROUTE_WAVE, RouteWave, WaveRouted
from orderloom.domain.capacity import CapacityTaken
from orderloom.domain.errors import OrderloomError
from orderloom.domain.inventory import StockMoved
from orderloom.domain.parts import Routing
from orderloom.domain.routing import RoutingOutcome
from orderloom.domain.waves import Member, Picture, Routed, route_together
from orderloom.persistence.conflicts import tried
from orderloom.persistence.pools import Claimed, claim
from orderloom.persistence.transactions import Transaction
from orderloom.persistence.waves import Draft, Tally, begin_wave, end_wave, propose

LIMIT = 500
"""Orders of one wave at most; those of the highest priority go first, the rest in the wave after it."""
MOVED = (StockMoved, CapacityTaken, IntegrityError)
"""Somebody else took what the wave had seen, or has just proposed something to one of its orders."""


class Waves:
    """Routes waves of routing pools."""

    def __init__(self, engine: AsyncEngine, processors: Processors) -> None:
        """Take the database, and where routing is done."""
        self._engine = engine
        self._processors = processors

    @activity.defn(name=ROUTE_WAVE)
    async def route_wave(self, asked: RouteWave) -> WaveRouted:
        """Route all that is due in a pool now; done again, it takes only what has no proposal yet."""
        async with heard_of():
            return await self.route(asked.pool, VirtualClock(timedelta(seconds=asked.offset)))

    async def route(self, pool: str, clock: Clock) -> WaveRouted:
        """Route all that is due in *pool* now, at most ``LIMIT`` orders."""
        async with self._engine.connect() as conn:
            claimed = await claim(conn, pool, clock.now(), LIMIT)
        if claimed is None:
            return WaveRouted()
        count = len(claimed.members) + len(claimed.idle)
        async with Transaction(self._engine) as conn:
            wave = await begin_wave(conn, pool, count, clock.now())
        drafts, routings = await self._processors.run(_route, claimed.members, claimed.picture)
        held = await self._hold((wave, pool), [*drafts, *_told_only(claimed, drafts)], claimed.days, clock)
        async with Transaction(self._engine) as conn:
            await end_wave(conn, wave, _tally(routings, held, count))
        return WaveRouted(orders=count, left_over=count - len(held), more=count == LIMIT)

    async def _hold(
        self, wave: tuple[int, str], drafts: Iterable[Draft], days: Mapping[str, date], clock: Clock
    ) -> set[str]:
        """Hold what the drafts say, in one transaction for each location group; return the orders that have it."""
        groups: dict[str, list[Draft]] = defaultdict(list)
        for draft in drafts:
            groups[draft.group].append(draft)
        held: set[str] = set()
        for of_group in groups.values():
            try:
                held |= await self._propose(wave, of_group, days, clock)
            except MOVED:
                held |= await self._one_by_one(wave, of_group, days, clock)
        return held

    async def _one_by_one(
        self, wave: tuple[int, str], drafts: Iterable[Draft], days: Mapping[str, date], clock: Clock
    ) -> set[str]:
        """Something has moved: whose route still goes gets it, the others wait for the next wave."""
        held: set[str] = set()
        for draft in drafts:
            try:
                held |= await self._propose(wave, [draft], days, clock)
            except MOVED:
                continue
        return held

    async def _propose(
        self, wave: tuple[int, str], drafts: Sequence[Draft], days: Mapping[str, date], clock: Clock
    ) -> set[str]:
        async def transaction() -> set[str]:
            async with Transaction(self._engine) as conn:
                return await propose(conn, wave, drafts, days, clock.now())

        return await tried(transaction)


def _route(members: Sequence[Member], picture: Picture) -> tuple[list[Draft], dict[str, Routing]]:
    """Route the members, and return what is to be held for each, and its routing; runs in another process."""
    routed = _routed(members, picture)
    drafts = [
        Draft(
            order=each.order,
            group=each.group,
            answer=each.answer.model_dump(mode="json", exclude_defaults=True),
            held=each.held,
            asked=each.asked,
        )
        for each in routed
    ]
    return drafts, {each.order: each.answer.routing for each in routed}


def _routed(members: Sequence[Member], picture: Picture) -> list[Routed]:
    """Route the members; one whose policy fails is left out, so that it fails alone, when it routes itself."""
    try:
        return route_together(members, picture, holds, solver(AT_ONCE))
    except OrderloomError:
        sound = [member for member in members if _sound(member, picture)]
        return route_together(sound, picture, holds, solver(AT_ONCE))


def _sound(member: Member, picture: Picture) -> bool:
    try:
        route_together([member], picture, holds, solver(AT_ONCE))
    except OrderloomError:
        return False
    return True


def _told_only(claimed: Claimed, drafts: Iterable[Draft]) -> list[Draft]:
    """Return what tells the orders without an answer that they have had their turn."""
    answered = {draft.order for draft in drafts}
    idle = [Draft(order=order.id, group=order.policy.location_group) for order in claimed.idle]
    failed = [Draft(order=each.order, group=each.group) for each in claimed.members if each.order not in answered]
    return idle + failed


def _tally(routings: Mapping[str, Routing], held: set[str], count: int) -> Tally:
    answered = [routing for order, routing in routings.items() if order in held]
    outcomes = [routing.outcome for routing in answered]
    routed, partial = outcomes.count(RoutingOutcome.ROUTED), outcomes.count(RoutingOutcome.PARTIALLY_ROUTED)
    return Tally(
        routed=routed,
        partial=partial,
        unrouted=len(held) - routed - partial,
        left_over=count - len(held),
        splits=sum(routing.splits for routing in answered),
    )
