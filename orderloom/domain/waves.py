"""
Waves: the due orders of a routing pool, routed in one pass over one picture of stock and capacity.

Every order's route is exact for what the others leave; the wave as a whole is not solved as one problem. A higher
priority goes first, always, and within a priority the older order. Then orders of the same priority exchange: one that
was split chooses anew from what it and another have, and the other from the rest. It is done if both get as many units
as before with fewer splits between them, and take nothing that they had not taken: nobody else can tell the difference.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations, groupby
from typing import Literal

from orderloom.domain.eligibility import Fate, Holds, LocationFacts
from orderloom.domain.model import Frozen
from orderloom.domain.parts import RoutedPart, Routing
from orderloom.domain.router import Attempted, Solve, attempt
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.domain.situation import Situation, joint_limits

type At = tuple[str, str]
"""A location, and a SKU."""

EXCHANGES = 250
"""Exchanges that a wave tries at most, of two routes each. A wave of 300 orders tries about a hundred."""


class Member(Frozen):
    """A due order of a pool, without the locations: those are the same for all."""

    order: str
    group: str
    """The location group of its channel."""
    policy: RoutingPolicy
    situation: Situation
    """Without locations, and without what its group has free."""
    turned_down: tuple[str, ...] = ()
    """Locations that rejected units of this order."""
    rejections: dict[str, float] = {}
    """By location, recent rejections of what it wants, decayed as its policy says."""

    @property
    def rank(self) -> tuple[int, int, str]:
        """Return what a pool is sorted by: the higher priority first, then the older order."""
        return -self.situation.priority, len(self.order), self.order


class Picture(Frozen):
    """What a wave starts from."""

    locations: dict[str, tuple[LocationFacts, ...]]
    """By location group: every active location of it, by id, without stock."""
    stock: dict[str, dict[str, int]]
    """By location and SKU: what is available there, whatever groups have promised."""
    groups: dict[str, dict[str, int]]
    """By location group and SKU: what it can still promise; of every group of every location."""
    room: dict[str, int]
    """By location with a capacity: fulfillment orders that it still takes on the day of work given now."""


class Answer(Frozen):
    """What a wave found for an order, as its routing attempt will tell it."""

    seen: Situation
    """What those before it left."""
    routing: Routing
    fates: tuple[tuple[Fate, ...], ...]

    def answers(self, demand: Mapping[tuple[str, str], int], open_: Mapping[str, Mapping[str, int]]) -> bool:
        """
        Return whether what waits is still what the wave saw.

        Args:
            demand: by delivery group and SKU, what waits.
            open_: by delivery group and SKU, what of it is reserved nowhere.
        """
        seen = Counter[tuple[str, str]]()
        for part in self.routing.parts:
            seen.update({(part.delivery_group, sku): quantity for sku, quantity in part.demand.items()})
        return seen == demand and self.seen.open == open_


class Units(Frozen):
    """Units of a SKU that a location is to send."""

    location: str
    sku: str
    quantity: int
    own: int
    """Of these, units that are not reserved at the order's group."""


class Routed(Frozen):
    """An order of a wave, with its answer and what that takes."""

    order: str
    group: str
    answer: Answer
    held: tuple[Units, ...]
    """What goes out from stock."""
    asked: dict[str, int]
    """By location: how many fulfillment orders it gets that count against its capacity."""

    @property
    def sent(self) -> int:
        """Return how many units go out."""
        return sum(each.quantity for part in self.answer.routing.carried_out for each in part.plan)


def route_together(members: Iterable[Member], picture: Picture, holds: Holds, solve: Solve) -> list[Routed]:
    """Return the answer for every member, the highest priority first, then by age."""
    left = _Left(picture)
    tries = iter(range(EXCHANGES))
    routed: list[Routed] = []

    def route(policy: RoutingPolicy, situation: Situation) -> Attempted:
        return attempt(policy, situation, holds, solve)

    ranked = sorted(members, key=lambda member: member.rank)
    for _, same in groupby(ranked, key=lambda member: member.situation.priority):
        members_of = {member.order: member for member in same}
        by_age = [_turn(member, left, route) for member in members_of.values()]
        # What an exchange spares is for nobody: those of lower priority see what they would see without it.
        routed += _Exchange(members_of, by_age, left.copy(), route).done(tries)
    return routed


type _Count = tuple[Literal["stock", "group", "room"], str, str]
"""A counter: which one, of which location or group, and of which SKU, if it has one."""
type _Attempt = Callable[[RoutingPolicy, Situation], Attempted]


class _Left:
    """What is left of the stock and capacity of a picture, after the orders that have had their turn."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._groups_of = {each.id: each.groups for facts in picture.locations.values() for each in facts}
        self._left: Counter[_Count] = Counter({("room", place, ""): count for place, count in picture.room.items()})
        self._left.update({("stock", at, sku): n for at, there in picture.stock.items() for sku, n in there.items()})
        self._left.update({("group", at, sku): n for at, there in picture.groups.items() for sku, n in there.items()})

    def copy(self) -> "_Left":
        made = _Left(self._picture)
        made._left = Counter(self._left)
        return made

    def seen_by(self, member: Member) -> Situation:
        """Return the member's situation with the locations as they are now."""
        situation = member.situation
        skus = sorted({sku for part in situation.parts if part.stocked for sku in part.demand})
        opens = sorted({sku for counted in situation.open.values() for sku in counted})
        locations = tuple(self._facts(each, member, skus) for each in self._picture.locations.get(member.group, ()))
        return situation.model_copy(
            update={
                "free": {sku: max(0, self._left["group", member.group, sku]) for sku in opens},
                "locations": locations if skus else (),
                "limits": joint_limits(locations, self._promises(locations, skus), member.group) if skus else {},
            }
        )

    def _facts(self, location: LocationFacts, member: Member, skus: Sequence[str]) -> LocationFacts:
        stock = {sku: self._available(location, member.group, sku) for sku in skus}
        return location.model_copy(
            update={
                "stock": {sku: there for sku, there in stock.items() if there > 0},
                "capacity_left": self._left["room", location.id, ""] if location.id in self._picture.room else None,
                "rejections": member.rejections.get(location.id, 0.0),
                "turned_down": location.id in member.turned_down,
            }
        )

    def _available(self, location: LocationFacts, own: str, sku: str) -> int:
        """Return what is there and no other group of the location has promised."""
        counts: list[_Count] = [("group", group, sku) for group in location.groups if group != own]
        promised = (self._left[each] for each in counts if each in self._left)
        return min([self._left["stock", location.id, sku], *promised])

    def _promises(self, locations: Iterable[LocationFacts], skus: Sequence[str]) -> dict[str, dict[str, int]]:
        """Return by group of any of the locations, and SKU, what it can still promise."""
        groups = sorted({group for each in locations for group in each.groups})
        return {
            group: {sku: self._left["group", group, sku] for sku in skus if ("group", group, sku) in self._left}
            for group in groups
        }

    def takes(self, *routed: Routed) -> Counter[_Count]:
        """Return what orders get, of every counter; their own group had promised them some of that before."""
        taken: Counter[_Count] = Counter()
        for one in routed:
            taken.update({("room", place, ""): count for place, count in one.asked.items()})
            for each in one.held:
                taken["stock", each.location, each.sku] += each.quantity
                for group in self._groups_of[each.location]:
                    taken["group", group, each.sku] += each.own if group == one.group else each.quantity
        return taken

    def take(self, *routed: Routed) -> None:
        """Take away what orders get."""
        self._left.subtract(self.takes(*routed))

    def give_back(self, *routed: Routed) -> None:
        """Put back what orders got."""
        self._left.update(self.takes(*routed))


def _turn(member: Member, left: _Left, route: _Attempt) -> Routed:
    """Route an order with what is left, and take that away."""
    seen = left.seen_by(member)
    routed = _routed(member, seen, route(member.policy, seen))
    left.take(routed)
    return routed


class _Exchange:
    """Orders of one priority after their turns, which exchange what they have got."""

    def __init__(self, members: Mapping[str, Member], routed: Iterable[Routed], left: _Left, route: _Attempt) -> None:
        self._members = members
        self._routed = {each.order: each for each in routed}
        self._loads = {order: _loads(each) for order, each in self._routed.items()}
        self._left = left
        self._route = route

    def done(self, tries: Iterator[int]) -> list[Routed]:
        """Return what the orders have after each that was split has tried it with the others, both by age."""
        for order in self._routed:
            for other in self._routed:
                if self._promising(order, other) and next(tries, None) is not None:
                    self._try(order, other)
        return list(self._routed.values())

    def _promising(self, order: str, other: str) -> bool:
        """Return whether two of an order's shipments could be one, where the other has something."""
        if order == other or not self._routed[order].answer.routing.splits:
            return False
        # Whoever minds something more than splits is left in peace.
        if any(self._members[each].policy.objectives[0] != "fewest_splits" for each in (order, other)):
            return False
        mine, theirs = self._loads[order], self._loads[other]
        return any(
            mine[one] + mine[two] <= there + mine.get(place, Counter())
            for place, there in theirs.items()
            for one, two in combinations(mine, 2)
        )

    def _try(self, order: str, other: str) -> None:
        before = self._routed[order], self._routed[other]
        self._left.give_back(*before)
        after = [_turn(self._members[each], self._left, self._route) for each in (order, other)]
        if _better(after, before) and self._left.takes(*after) <= self._left.takes(*before):
            for each in after:
                self._routed[each.order], self._loads[each.order] = each, _loads(each)
        else:
            self._left.give_back(*after)
            self._left.take(*before)


def _loads(routed: Routed) -> dict[str, Counter[str]]:
    """Return by location what it sends of each SKU."""
    loads: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for each in routed.held:
        loads[each.location][each.sku] += each.quantity
    return dict(loads)


def _better(after: Sequence[Routed], before: Sequence[Routed]) -> bool:
    """Return whether none of the orders gets fewer units, and together they have fewer splits."""
    if any(now.sent < then.sent for now, then in zip(after, before, strict=True)):
        return False
    return _splits(after) < _splits(before)


def _splits(routed: Iterable[Routed]) -> int:
    return sum(each.answer.routing.splits for each in routed)


def _routed(member: Member, seen: Situation, attempted: Attempted) -> Routed:
    going = [part for part in attempted.routing.carried_out if part.stocked]
    asked = Counter(location for part in going for location in part.locations)
    return Routed(
        order=member.order,
        group=member.group,
        answer=Answer(seen=seen, routing=attempted.routing, fates=attempted.fates),
        held=_held(seen, going),
        asked=dict(asked) if member.policy.eligible.capacity else {},
    )


def _held(seen: Situation, parts: Iterable[RoutedPart]) -> tuple[Units, ...]:
    """Return what goes out from stock; what is reserved goes first, as when the route is carried out."""
    quantities: Counter[At] = Counter()
    own: Counter[At] = Counter()
    for part in parts:
        open_ = seen.open.get(part.delivery_group, {})
        reserved = Counter({sku: quantity - open_.get(sku, 0) for sku, quantity in part.demand.items()})
        for each in part.plan:
            covered = min(each.quantity, reserved[each.sku])
            reserved[each.sku] -= covered
            quantities[each.location, each.sku] += each.quantity
            own[each.location, each.sku] += each.quantity - covered
    return tuple(
        Units(location=location, sku=sku, quantity=quantity, own=own[location, sku])
        for (location, sku), quantity in sorted(quantities.items())
    )
