"""
Answers a routing question exactly, or says how far it got.

First the fewest locations that have all that is demanded; then, among the sets that the objectives allow, the best one
by all objectives; then the next best ones.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import fsum

from orderloom.domain.bounds import Bound, Costing
from orderloom.domain.choosing import Choosing, Guide, Wanted
from orderloom.domain.costs import Choice, Costs
from orderloom.domain.covering import Budget, Spend, Supplies
from orderloom.domain.lacking import lacking, limits_of
from orderloom.domain.routing import (
    FEWEST_SPLITS,
    Assignment,
    Candidate,
    Cost,
    Elapsed,
    Objective,
    Route,
    RoutingAnswer,
    RoutingOutcome,
    RoutingQuestion,
    Short,
)

MILLIMETRES = 1e6
"""In a kilometre: distances are compared as whole numbers of them."""

ROUNDS = 12
"""Steps that prices climb for a first bound."""
ALTERNATIVES = 1_500
"""Nodes that the search for alternatives may take; a quarter of what the best route took when that is more."""
COUNTING, CHOOSING, RANKING = 0.45, 0.75, 0.9
"""Shares of the budget after which the searches for number, best route and alternatives end; the rest is to tell it."""


def find_routes(question: RoutingQuestion, elapsed: Elapsed = lambda: 0.0) -> RoutingAnswer:
    """
    Return the best routes, ranked by the objectives, then by number, distance (unknown last) and ids of locations.

    Without a clock only nodes bound the search: the same question then has the same answer everywhere.
    """
    if not question.locations:
        return RoutingAnswer(outcome=RoutingOutcome.NO_ELIGIBLE_LOCATION)
    short, certain = lacking(question)
    demand = {sku: need - short.get(sku, 0) for sku, need in sorted(question.demand.items())}
    demand = {sku: need for sku, need in demand.items() if need}
    if short and not (question.partial and demand):
        outcome = RoutingOutcome.NO_STOCK if certain else RoutingOutcome.NOT_PROVEN
        return RoutingAnswer(outcome=outcome, proven=certain, complete=certain, short=_shorts(short))
    budget = Budget(question.max_nodes, question.seconds, elapsed)
    answer = _Solver(question, demand, budget).answer()
    return answer if certain else answer.model_copy(update={"proven": False, "complete": False})


def _shorts(missing: dict[str, int]) -> tuple[Short, ...]:
    return tuple(Short(sku=sku, quantity=quantity) for sku, quantity in sorted(missing.items()) if quantity)


type Ranking = list[tuple[str, list[Cost]]]
"""Objectives by name, the weightiest first, with the cost of each location."""
type Narrowed = tuple[Supplies, Ranking]
"""A demand that can only be met as cheaply as can be by some objectives, and the other objectives."""


@dataclass(frozen=True)
class Counted:
    """What is known about the fewest sources that cover."""

    cover: list[int]
    """The smallest cover known."""
    lower_bound: int
    """No cover is smaller."""

    @property
    def proven(self) -> bool:
        """Return whether no cover is smaller than the one known."""
        return len(self.cover) == self.lower_bound


@dataclass(frozen=True)
class Chosen:
    """What is known about the best choices."""

    costs: Costs
    found: list[Choice]
    """Best first."""
    proven: bool
    """Nothing is better than the first."""
    complete: bool
    """No better one than the last is missing."""

    def only_if(self, certain: bool) -> "Chosen":
        """Return the same, certain only if what it starts from is *certain*."""
        return replace(self, proven=self.proven and certain, complete=self.complete and certain)


class _Solver:
    """One question that has an answer: all locations together have the demand."""

    def __init__(
        self, question: RoutingQuestion, demand: dict[str, int], budget: Budget, narrowed: Narrowed | None = None
    ) -> None:
        self._question = question
        self._demand = demand
        self._budget = budget
        self._by_id = sorted(question.locations, key=lambda candidate: candidate.location)
        self._skus = list(demand)
        if narrowed is None:
            stock = [[each.stock.get(sku, 0) for sku in self._skus] for each in self._by_id]
            limits = limits_of(question.limits, [each.location for each in self._by_id], self._skus)
            narrowed = Supplies(list(demand.values()), stock, limits), self._ranking()
        self._supplies, self._objectives = narrowed
        self._limit = len(self._by_id) if question.max_splits is None else question.max_splits + 1

    def answer(self) -> RoutingAnswer:
        """Search, and tell what came of it."""
        counted = self._count()
        excluded = counted.lower_bound > self._limit
        if len(counted.cover) <= self._limit:
            chosen = self._choose(counted, self._sizes(counted)).only_if(counted.proven)
        elif self._question.partial:
            chosen = self._choose(counted, Wanted(fewest=1, most=self._limit, partly=True))
        else:
            chosen = Chosen(self._indifferent, [], counted.proven, excluded)
        if chosen.found:
            return self._told(RoutingOutcome.ROUTED, counted, chosen)
        told = excluded and not self._question.partial
        outcome = RoutingOutcome.SPLIT_LIMIT if told else RoutingOutcome.NOT_PROVEN
        return self._told(outcome, counted, chosen)

    def _count(self) -> Counted:
        """Find the fewest sources that cover, one more at a time."""
        supplies = self._supplies
        cover = self._cover
        least = supplies.fewest()
        if least < len(cover):
            least = max(least, self._numbers.bound.floor(least, len(cover)))
        spend = self._budget.until(COUNTING)
        for size in range(least, len(cover)):
            search = Choosing(
                supplies,
                self._indifferent,
                Wanted(fewest=size, most=size),
                spend,
                [self._numbers],
                weaker=self._weaker_in_stock,
            )
            certain = search.run()
            if search.found:
                return Counted(list(search.found[0].sources), size)
            if not certain:
                return Counted(cover, size)
        return Counted(cover, len(cover))

    @cached_property
    def _cover(self) -> list[int]:
        return self._supplies.greedy()

    @cached_property
    def _indifferent(self) -> Costs:
        return Costs(self._supplies, [], [], self._nearness)

    @cached_property
    def _numbers(self) -> Guide:
        """To the number of sources that cover."""
        ones, nothing = [1] * self._supplies.count, [0] * self._supplies.count
        costing = self._costing(ones, nothing, Wanted(fewest=1, most=self._supplies.count))
        return Guide(costing.tuned(len(self._cover), ROUNDS), costing)

    def _costing(self, opening: Sequence[int], per_unit: Sequence[int], wanted: Wanted) -> Costing:
        return Costing(
            supplies=self._supplies,
            opening=opening,
            per_unit=per_unit,
            fewest=wanted.fewest,
            most=wanted.most,
            missing=self._supplies.everything,
            sources=self._supplies.useful,
        )

    @cached_property
    def _weaker_in_stock(self) -> list[int]:
        rows = self._supplies.rows
        return self._supplies.dominated(lambda one, other: rows[one] != rows[other] or one < other)

    @cached_property
    def _nearness(self) -> list[int]:
        def nearness(source: int) -> tuple[bool, float, int]:
            distance = self._by_id[source].distance_km
            return distance is None, distance or 0.0, source

        ranked = sorted(range(self._supplies.count), key=nearness)
        return [rank for _, rank in sorted((source, rank) for rank, source in enumerate(ranked))]

    def _sizes(self, counted: Counted) -> Wanted:
        """Return how many sources a choice may have: when their number comes first, as few as is known to do."""
        size = len(counted.cover)
        first = next((name for name, of_each in self._objectives if _varies(of_each, fixed=False)), None)
        if first == FEWEST_SPLITS:
            return Wanted(fewest=size, most=size)
        return Wanted(fewest=counted.lower_bound, most=self._limit)

    def _choose(self, counted: Counted, wanted: Wanted) -> Chosen:
        """Find the best choice, then the next best ones."""
        fixed = wanted.fewest == wanted.most
        costs = self._costs(fixed=fixed, partly=wanted.partly)
        goals = self._goals(costs, wanted, counted.cover)
        best = self._search(costs, wanted, self._budget.until(CHOOSING), goals, counted.cover)
        narrow = None if fixed or wanted.partly else self._narrowed()
        for each in narrow.found if narrow else ():
            best.offer(each.sources)
        proven = (narrow is not None and narrow.proven) or best.run()
        if self._question.alternatives == 1 or not best.found:
            return Chosen(costs, best.found, proven, proven)
        first = best.found[0]
        size = len(first.sources)
        alike = replace(wanted, fewest=size, most=size, keep=self._question.alternatives)
        spend = self._budget.until(RANKING, further=max(ALTERNATIVES, self._budget.nodes // 4))
        more = self._search(costs, alike, spend, goals, first.sources)
        complete = more.run() and proven
        # Where units are short the alternatives are short of as many.
        found = [each for each in more.found if not wanted.partly or each.values[0] == first.values[0]]
        return Chosen(costs, found, proven, complete)

    def _narrowed(self) -> Chosen | None:
        """
        Return the best choice among those that are as cheap as can be by the first objective, where that is by unit.

        They can be told beforehand: of each good all units that are cheaper than its last one must be sent, and the
        last ones come from whoever asks the same for them. Each such price makes a good of its own, and the first
        objective makes no more difference. None: choosing has a price, too, locations share a limit, or the split
        limit allows no such choice.
        """
        at = next((at for at, (_, of_each) in enumerate(self._objectives) if _varies(of_each, fixed=False)), None)
        if at is None or any(cost.opening for cost in self._objectives[at][1]) or self._supplies.shared is not None:
            return None
        prices = [cost.per_unit for cost in self._objectives[at][1]]
        narrow = _Solver(
            self._question.model_copy(update={"alternatives": 1}),
            self._demand,
            self._budget,
            (self._supplies.split(prices), self._objectives[at + 1 :]),
        )
        return narrow._best()

    def _best(self) -> Chosen | None:
        """Return the best choice; None when no known one is within the limit."""
        counted = self._count()
        if len(counted.cover) > self._limit:
            return None
        wanted = self._sizes(counted)
        return self._choose(counted, wanted).only_if(counted.proven or wanted.fewest < wanted.most)

    def _costs(self, *, fixed: bool, partly: bool) -> Costs:
        varying = [of_each for _, of_each in self._objectives if _varies(of_each, fixed=fixed)]
        return Costs(
            self._supplies,
            [[cost.opening for cost in of_each] for of_each in varying],
            [[cost.per_unit for cost in of_each] for of_each in varying],
            self._nearness,
            partly=partly,
        )

    def _search(
        self, costs: Costs, wanted: Wanted, spend: Spend, goals: Sequence[Guide], known: Sequence[int]
    ) -> Choosing:
        search = Choosing(
            self._supplies,
            costs,
            wanted,
            spend,
            [self._numbers, *goals],
            weaker=self._weaker_by(costs) if wanted.keep == 1 else None,
        )
        if len(known) <= wanted.most:
            search.offer(known)
        return search

    def _goals(self, costs: Costs, wanted: Wanted, known: Sequence[int]) -> list[Guide]:
        """Return guides to the values of a choice; that to the first objective is worth some effort."""
        everyone = range(self._supplies.count)
        by_opening = [Guide(Bound(0, opening, everyone, scale=1)) for opening in costs.opening]
        if wanted.partly:
            # What is not sent costs nothing: only choosing is certain to.
            return [self._shortage, *by_opening]
        *_, themselves = by_opening
        goals: list[Guide] = []
        for opening, per_unit in zip(costs.opening[:-1], costs.per_unit[:-1], strict=True):
            costing = self._costing(opening, per_unit, wanted)
            bound = costing.tuned(costs.value(len(goals), known), 0 if goals else ROUNDS)
            goals.append(Guide(bound, None if goals else costing))
        return [*goals, themselves]

    def _weaker_by(self, costs: Costs) -> list[int]:
        opening = list(zip(*costs.opening, strict=True))
        per_unit = list(zip(*costs.per_unit, strict=True))
        return self._supplies.dominated(
            lambda one, other: opening[one] < opening[other] and per_unit[one] <= per_unit[other]
        )

    @cached_property
    def _shortage(self) -> Guide:
        """The units short are at least those demanded, less what the chosen have."""
        given = [-sum(row) for row in self._supplies.rows]
        return Guide(Bound(sum(self._supplies.demand), given, range(self._supplies.count), scale=1))

    def _ranking(self) -> Ranking:
        """Return the objectives with every location's costs, and then what decides ties."""
        asked = self._question.objectives
        listed = [(name, [_cost(name, index, each) for each in self._by_id]) for index, name in enumerate(asked)]
        if FEWEST_SPLITS not in asked:
            listed.append((FEWEST_SPLITS, [Cost(opening=1)] * len(self._by_id)))
        unknown = [Cost(opening=int(each.distance_km is None)) for each in self._by_id]
        distance = [Cost(opening=round((each.distance_km or 0.0) * MILLIMETRES)) for each in self._by_id]
        return [*listed, ("unknown distances", unknown), ("distance", distance)]

    def _told(self, outcome: RoutingOutcome, counted: Counted, chosen: Chosen) -> RoutingAnswer:
        routes = tuple(self._route(rank, chosen.costs, each.sources) for rank, each in enumerate(chosen.found, 1))
        missing = dict(self._question.demand) if routes else {}
        for each in routes[0].plan if routes else ():
            missing[each.sku] -= each.quantity
        return RoutingAnswer(
            outcome=outcome,
            routes=routes,
            proven=chosen.proven,
            complete=chosen.complete,
            lower_bound=counted.lower_bound,
            fewest_possible=None if self._supplies.missing(counted.cover) else len(counted.cover),
            fewest_without_limits=self._without_limits(counted),
            objectives=routes[0].objectives if routes else (),
            short=_shorts(missing),
            nodes=self._budget.nodes,
            seconds=self._budget.elapsed(),
        )

    def _without_limits(self, counted: Counted) -> int | None:
        """Return how many locations would do if they shared no limit, when that is fewer."""
        if self._supplies.shared is None or self._demand != self._question.demand:
            return None
        alone = _Solver(self._question.model_copy(update={"limits": ()}), self._demand, self._budget)
        number = len(alone._count().cover)
        return number if number < counted.lower_bound else None

    def _route(self, rank: int, costs: Costs, sources: Sequence[int]) -> Route:
        gifts = costs.gifts(sources)
        sent = Counter[int]()
        for gift in gifts:
            sent[gift.source] += gift.quantity
        values = {
            name: sum(of_each[source].opening + of_each[source].per_unit * sent[source] for source in sources)
            for name, of_each in self._objectives[: len(self._question.objectives)]
        }
        return Route(
            rank=rank,
            locations=tuple(self._by_id[source].location for source in sources),
            plan=tuple(
                Assignment(
                    location=self._by_id[gift.source].location, sku=self._skus[gift.good], quantity=gift.quantity
                )
                for gift in gifts
            ),
            average_km=_average([self._by_id[source].distance_km for source in sources]),
            objectives=tuple(Objective(name=name, value=value) for name, value in values.items()),
        )


def _cost(name: str, index: int, candidate: Candidate) -> Cost:
    if name == FEWEST_SPLITS:
        return Cost(opening=1)
    return candidate.costs[index] if candidate.costs else Cost()


def _varies(of_each: Sequence[Cost], *, fixed: bool) -> bool:
    """Return whether choices can differ by these costs; *fixed*: they all have the same number of sources."""
    same = {cost.per_unit for cost in of_each}, {cost.opening for cost in of_each}
    return len(same[0]) > 1 or len(same[1]) > 1 or not (fixed or same[1] == {0})


def _average(distances: Sequence[float | None]) -> float | None:
    known = [distance for distance in distances if distance is not None]
    return fsum(known) / len(known) if len(known) == len(distances) else None
