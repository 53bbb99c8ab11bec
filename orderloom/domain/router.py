"""
Routes an order by a policy: which locations may send each of its parts, and the best of them.

Pure: the same situation and policy give the same answer, whether an attempt asks, a preview or a draft that is tried.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from orderloom.domain.eligibility import STOCK, Fate, Holds, LocationFacts, fates
from orderloom.domain.model import Frozen
from orderloom.domain.parts import Part, RoutedPart, Routing, routing_of, short_of, without_choice
from orderloom.domain.routing import Candidate, Cost, JointLimit, RoutingAnswer, RoutingOutcome, RoutingQuestion
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.domain.situation import Left, Situation

type Solve = Callable[[RoutingQuestion], RoutingAnswer]
"""Answers a question, such as ``orderloom.domain.solver.find_routes``."""


class Attempted(Frozen):
    """What an attempt came to, and why."""

    routing: Routing
    fates: tuple[tuple[Fate, ...], ...]
    """By part: every location that could be asked; none for what has no choice."""


def attempt(policy: RoutingPolicy, situation: Situation, holds: Holds, solve: Solve) -> Attempted:
    """Return the best route of every part; what one takes is gone for the next, and the split limit is for all."""
    router = _Router(policy, situation, holds, solve)
    routed = [router.route(part) for part in situation.parts]
    routing = routing_of([part for part, _ in routed], complete=situation.complete)
    return Attempted(routing=routing, fates=tuple(fate for _, fate in routed))


class _Router:
    def __init__(self, policy: RoutingPolicy, situation: Situation, holds: Holds, solve: Solve) -> None:
        self._policy = policy
        self._situation = situation
        self._holds = holds
        self._solve = solve
        self._partial = policy.partial and not situation.complete
        self._splits = policy.splits_for(situation.value)
        self._free = Counter(situation.free)
        self._left = Left(situation.locations, situation.limits)
        self._asked: Counter[str] = Counter()

    def route(self, part: Part) -> tuple[RoutedPart, tuple[Fate, ...]]:
        if not part.stocked:
            available = part.kind == "digital" or (
                part.place is not None and part.place not in self._situation.unavailable
            )
            return without_choice(part, available=available), ()
        locations = [self._now(each) for each in self._situation.locations if part.place in {None, each.id}]
        found = tuple(fates(self._policy, self._situation.order(part), locations, self._holds))
        candidates = [
            _candidate(location, fate) for location, fate in zip(locations, found, strict=True) if fate.eligible
        ]
        withheld = self._withheld(part)
        if not candidates and any(fate.removed_by == STOCK for fate in found):
            answer, limits = RoutingAnswer(outcome=RoutingOutcome.NO_STOCK, short=short_of(part.demand)), ()
        else:
            limits = self._left.limits(part.demand, (each.location for each in candidates))
            answer = self._answer(part, candidates, withheld, limits)
        routed = RoutedPart(
            **part.model_dump(), answer=answer, max_splits=self._splits, withheld=dict(withheld), limits=limits
        )
        self._take(routed)
        return routed, found

    def _now(self, location: LocationFacts) -> LocationFacts:
        """Return the location without what parts before this one take: stock, and a fulfillment order each."""
        room = location.capacity_left
        return location.model_copy(
            update={
                "stock": self._left.stock(location.id),
                "capacity_left": None if room is None else room - self._asked[location.id],
            }
        )

    def _answer(
        self, part: Part, candidates: Sequence[Candidate], withheld: Counter[str], limits: tuple[JointLimit, ...]
    ) -> RoutingAnswer:
        """Ask for all that can be had; without partial routing that must be all there is."""
        demand = {sku: quantity - withheld[sku] for sku, quantity in part.demand.items() if quantity > withheld[sku]}
        if candidates and withheld and not (self._partial and demand):
            return RoutingAnswer(outcome=RoutingOutcome.NO_STOCK, short=short_of(withheld))
        answer = self._solve(
            RoutingQuestion(
                demand=demand or part.demand,
                locations=tuple(candidates),
                limits=limits,
                objectives=self._policy.objectives,
                max_splits=self._splits,
                partial=self._partial,
            )
        )
        if not (withheld and candidates):
            return answer
        short = Counter({each.sku: each.quantity for each in answer.short}) + withheld
        return answer.model_copy(update={"short": short_of(short)})

    def _withheld(self, part: Part) -> Counter[str]:
        """Return by SKU the units that are not reserved and that the group has promised to others."""
        open_ = self._situation.open.get(part.delivery_group, {})
        return +Counter(
            {sku: quantity - self._free[sku] for sku, quantity in sorted(open_.items()) if sku in part.demand}
        )

    def _take(self, part: RoutedPart) -> None:
        """Note what the part's route takes: stock, what groups can give, what the own one has free, and splits."""
        open_ = self._situation.open.get(part.delivery_group, {})
        sent: Counter[str] = Counter()
        self._asked.update(part.locations)
        self._left.take(part.plan)
        for each in part.plan:
            sent[each.sku] += each.quantity
        for sku, quantity in sent.items():
            # What is reserved goes first, as when the route is carried out.
            reserved = part.demand[sku] - open_.get(sku, 0)
            self._free[sku] -= max(0, quantity - reserved)
        if self._splits is not None and part.locations:
            self._splits -= len(part.locations) - 1


def _candidate(location: LocationFacts, fate: Fate) -> Candidate:
    return Candidate(
        location=location.id,
        distance_km=fate.distance_km,
        stock=location.stock,
        costs=tuple(Cost(opening=each.opening, per_unit=each.per_unit) for each in fate.charges),
    )
