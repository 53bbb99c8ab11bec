"""
Waves: the due orders of a routing pool, routed in one pass over one picture of stock and capacity.

Every order's route is exact for what those before it leave; the wave as a whole is not solved as one problem. A higher
priority goes first, always. Within a priority the older order does, unless another turn serves everybody at least as
well and the whole better: then the orders that are hardest to place go first.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby

from orderloom.domain.eligibility import Fate, Holds, LocationFacts
from orderloom.domain.model import Frozen
from orderloom.domain.parts import RoutedPart, Routing
from orderloom.domain.router import Attempted, Solve, attempt
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.domain.situation import Situation, joint_limits

type At = tuple[str, str]
"""A location, and a SKU."""


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
    """Return the answer for every member, in the order of their turns."""
    left = _Left(picture)
    routed: list[Routed] = []

    def route(policy: RoutingPolicy, situation: Situation) -> Attempted:
        return attempt(policy, situation, holds, solve)

    ranked = sorted(members, key=lambda member: member.rank)
    for _, same in groupby(ranked, key=lambda member: member.situation.priority):
        found, left = _of_one_priority(list(same), left, route)
        routed += found
    return routed


class _Left:
    """What is left of the stock and capacity of a picture, after the orders that have had their turn."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._stock = {place: Counter(there) for place, there in picture.stock.items()}
        self._groups = {group: Counter(there) for group, there in picture.groups.items()}
        self._room = Counter(picture.room)

    def copy(self) -> "_Left":
        made = _Left(self._picture)
        made._stock = {place: Counter(there) for place, there in self._stock.items()}
        made._groups = {group: Counter(there) for group, there in self._groups.items()}
        made._room = Counter(self._room)
        return made

    def seen_by(self, member: Member) -> Situation:
        """Return the member's situation with the locations as they are now."""
        situation = member.situation
        skus = sorted({sku for part in situation.parts if part.stocked for sku in part.demand})
        opens = sorted({sku for counted in situation.open.values() for sku in counted})
        free = self._groups.get(member.group, Counter())
        locations = tuple(self._facts(each, member, skus) for each in self._picture.locations.get(member.group, ()))
        return situation.model_copy(
            update={
                "free": {sku: max(0, free[sku]) for sku in opens},
                "locations": locations if skus else (),
                "limits": joint_limits(locations, self._groups, member.group) if skus else {},
            }
        )

    def _facts(self, location: LocationFacts, member: Member, skus: Sequence[str]) -> LocationFacts:
        stock = {sku: self._available(location, member.group, sku) for sku in skus}
        return location.model_copy(
            update={
                "stock": {sku: there for sku, there in stock.items() if there > 0},
                "capacity_left": self._room[location.id] if location.id in self._picture.room else None,
                "rejections": member.rejections.get(location.id, 0.0),
                "turned_down": location.id in member.turned_down,
            }
        )

    def _available(self, location: LocationFacts, own: str, sku: str) -> int:
        """Return what is there and no other group of the location has promised."""
        others = (self._groups[group] for group in location.groups if group != own)
        return min([self._stock[location.id][sku], *(there[sku] for there in others if sku in there)])

    def take(self, routed: Routed, *, counted: bool) -> None:
        """Take away what an order gets; its own group had promised it some of that before."""
        groups = {each.id: each.groups for each in self._picture.locations.get(routed.group, ())}
        for each in routed.held:
            self._stock[each.location][each.sku] -= each.quantity
            for group in groups[each.location]:
                self._groups[group][each.sku] -= each.own if group == routed.group else each.quantity
        if counted:
            self._room.subtract(routed.asked)


type _Attempt = Callable[[RoutingPolicy, Situation], Attempted]


def _of_one_priority(members: Sequence[Member], left: _Left, route: _Attempt) -> tuple[list[Routed], _Left]:
    """Return the better of two turns: by age, and the hardest to place first."""
    by_age, after = _in_turn(members, left, route)
    if all(_easy(each) for each in by_age):
        return by_age, after
    of = {member.order: member for member in members}
    hardest = [of[each.order] for each in sorted(by_age, key=_hardness)]
    other, after_other = _in_turn(hardest, left, route)
    return (other, after_other) if _better(other, by_age) else (by_age, after)


def _in_turn(members: Iterable[Member], left: _Left, route: _Attempt) -> tuple[list[Routed], _Left]:
    left = left.copy()
    routed: list[Routed] = []
    for member in members:
        seen = left.seen_by(member)
        attempted = route(member.policy, seen)
        one = _routed(member, seen, attempted)
        left.take(one, counted=member.policy.eligible.capacity)
        routed.append(one)
    return routed, left


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


def _easy(routed: Routed) -> bool:
    """Return whether nothing could be better for it: all of it goes out, and without a split."""
    routing = routed.answer.routing
    return routing.splits == 0 and all(part.whole for part in routing.parts)


def _hardness(routed: Routed) -> tuple[bool, int, int]:
    """Return what puts those first that had to be split or had little choice, and those without a route last."""
    routing = routed.answer.routing
    choices = min((len(part.answer.routes) for part in routing.carried_out if part.stocked), default=0)
    return not routing.carried_out, -routing.splits, choices


def _better(routed: Sequence[Routed], than: Sequence[Routed]) -> bool:
    """Return whether no order gets fewer units, and together they get more, or as many with fewer splits."""
    sent = {each.order: each.sent for each in than}
    if any(each.sent < sent[each.order] for each in routed):
        return False
    return _whole(routed) > _whole(than)


def _whole(routed: Iterable[Routed]) -> tuple[int, int]:
    listed = list(routed)
    return sum(each.sent for each in listed), -sum(each.answer.routing.splits for each in listed)
