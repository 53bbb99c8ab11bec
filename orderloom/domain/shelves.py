"""
What counters allow: units reserved, moved, shipped and given back, decided over counters that the caller has locked.

The arithmetic is that of the reference (6h, 6i): a reservation at a location is checked by what is available to fulfill
there, at a location group by what is available to order unless the channel says otherwise; and what is reserved at a
location is part of what is reserved in each of its groups, which must have room for it too.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from orderloom.domain.channel import Promise
from orderloom.domain.inventory import available_to_fulfill, available_to_order
from orderloom.domain.reserving import (
    FulfillRecord,
    Place,
    RecordResult,
    Shelf,
    ShelfLevel,
    ShelfUnits,
    TransferRecord,
)


@dataclass(kw_only=True)
class Counters:
    """The counters of one SKU at one place."""

    on_hand: int = 0
    reserved: int = 0
    safety: int = 0
    future: int = 0

    def available(self, promise: Promise) -> int:
        """Return what may be reserved."""
        if promise == "atf":
            return available_to_fulfill(self.on_hand, self.reserved, self.safety)
        return available_to_order(self.on_hand, self.reserved, self.safety, self.future)


type At = tuple[Place, str]
"""A place and a SKU."""

type Held = dict[At, int]
"""What a reservation holds."""


@dataclass
class Shelves:
    """Counters of some places as they are now, and what is changed of them. The caller has locked them."""

    counters: dict[At, Counters]
    groups: dict[str, tuple[str, ...]]
    """Location to the groups that it is in."""
    promise: Promise = "ato"
    changes: dict[At, tuple[int, int]] = field(default_factory=dict[At, tuple[int, int]])
    """What reserved and on hand change by."""

    def knows(self, place: Place, sku: str) -> bool:
        """Return whether the SKU was ever at the place."""
        return (place, sku) in self.counters

    def groups_at(self, place: Place) -> tuple[Place, ...]:
        """Return the groups whose counters hold what is reserved at *place*."""
        return (place,) if place.kind == "group" else tuple(self._groups(place))

    def room(self, place: Place, sku: str) -> int:
        """Return how many units may be reserved there: never below zero."""
        if place.kind == "group":
            return max(0, self.counters[place, sku].available(self.promise))
        rooms = [self.counters[place, sku].available("atf")]
        rooms += [self.counters[group, sku].available(self.promise) for group in self._groups(place)]
        return max(0, min(rooms))

    def hold(self, place: Place, sku: str, quantity: int) -> None:
        """Reserve *quantity* there, in a location's groups too; a negative one gives back."""
        self._change(place, sku, reserved=quantity)

    def ship(self, location: Place, sku: str, quantity: int) -> None:
        """Take *quantity* that is reserved at *location* away from it."""
        self._change(location, sku, reserved=-quantity, on_hand=-quantity)

    @property
    def freed(self) -> set[tuple[str, str]]:
        """Return the groups and SKUs of which more may be reserved now, at the group or at a location of it."""
        return {
            (group.id, sku)
            for (place, sku), (reserved, on_hand) in self.changes.items()
            if on_hand > reserved
            for group in self.groups_at(place)
        }

    def _change(self, place: Place, sku: str, *, reserved: int = 0, on_hand: int = 0) -> None:
        for each in (place, *self._groups(place)):
            counters = self.counters[each, sku]
            counters.reserved += reserved
            counters.on_hand += on_hand
            was_reserved, was_on_hand = self.changes.get((each, sku), (0, 0))
            self.changes[each, sku] = (was_reserved + reserved, was_on_hand + on_hand)

    def _groups(self, place: Place) -> list[Place]:
        return [] if place.kind == "group" else [Place("group", group) for group in self.groups.get(place.id, ())]


@dataclass
class Ledger:
    """One reservation under change: what it holds, and what ended of it."""

    shelves: Shelves
    held: Held
    ended: list[tuple[Place, str, int, str]] = field(default_factory=list[tuple[Place, str, int, str]])
    """Place, SKU and quantity of what was ``transferred``, ``fulfilled`` or ``released``."""

    def add(self, place: Place, sku: str, quantity: int) -> None:
        """Hold *quantity* more there."""
        self.shelves.hold(place, sku, quantity)
        self.held[place, sku] = self.held.get((place, sku), 0) + quantity

    def end(self, place: Place, sku: str, quantity: int, status: str) -> None:
        """Hold *quantity* less there, and say what became of it."""
        if status == "fulfilled":
            self.shelves.ship(place, sku, quantity)
        else:
            self.shelves.hold(place, sku, -quantity)
        self.held[place, sku] -= quantity
        self.ended.append((place, sku, quantity, status))


def reserve(ledger: Ledger, records: Sequence[ShelfUnits], *, partial: bool) -> list[RecordResult]:
    """Hold what *records* ask for: all of it, or with *partial* what there is. When refused nothing is changed."""
    results = [_add(ledger, record, record.quantity, partial=partial) for record in records]
    if not partial and any(result.status == "refused" for result in results):
        return _undone(ledger, records, results)
    return results


def _undone(ledger: Ledger, records: Sequence[ShelfUnits], results: Sequence[RecordResult]) -> list[RecordResult]:
    for record, result in zip(records, results, strict=True):
        if result.status == "done":
            ledger.shelves.hold(record.place, record.sku, -result.quantity)
            ledger.held[record.place, record.sku] -= result.quantity
    return [_TOGETHER if result.status == "done" else result for result in results]


def _add(ledger: Ledger, at: Shelf, quantity: int, *, partial: bool) -> RecordResult:
    if not ledger.shelves.knows(at.place, at.sku):
        return _refused("stock.unknown")
    room = ledger.shelves.room(at.place, at.sku)
    if room < quantity and not (partial and room):
        return _refused("stock.short", room)
    granted = min(room, quantity)
    ledger.add(at.place, at.sku, granted)
    if granted == quantity:
        return RecordResult(status="done", quantity=granted)
    return RecordResult(status="partial", quantity=granted, code="stock.short", available=granted)


def set_levels(
    ledger: Ledger, records: Sequence[ShelfLevel], *, partial: bool, all_or_nothing: bool
) -> list[RecordResult]:
    """Hold other quantities from now on: what is given up first, so that one record may use what another frees."""
    order = sorted(range(len(records)), key=lambda n: records[n].quantity - _at(ledger, records[n]) > 0)
    before = dict(ledger.held)
    found = {n: _set(ledger, records[n], partial=partial) for n in order}
    results = [found[n] for n in range(len(records))]
    if not all_or_nothing or all(result.status != "refused" for result in results):
        return results
    for at in {(record.place, record.sku) for record in records} & set(ledger.held):
        ledger.shelves.hold(*at, before.get(at, 0) - ledger.held[at])
    ledger.held.clear()
    ledger.held.update(before)
    ledger.ended.clear()
    return [result if result.status == "refused" else _TOGETHER for result in results]


def _set(ledger: Ledger, record: ShelfLevel, *, partial: bool) -> RecordResult:
    now = _at(ledger, record)
    more = record.quantity - now
    if more > 0:
        result = _add(ledger, record, more, partial=partial)
        return result.model_copy(update={"quantity": _at(ledger, record)})
    if more < 0:
        ledger.end(record.place, record.sku, -more, "released")
    return RecordResult(status="done", quantity=record.quantity)


def transfer(ledger: Ledger, records: Sequence[TransferRecord]) -> list[RecordResult]:
    """Hold units elsewhere, one record after the other; those with the same ``all_or_nothing`` together or not."""
    results: dict[int, RecordResult] = {}
    numbered = sorted(enumerate(records), key=lambda each: (_first(records, each), each[0]))
    for together, group in groupby(numbered, key=lambda each: each[1].all_or_nothing or each[0]):
        members = list(group)
        done: list[TransferRecord] = []
        for n, record in members:
            results[n] = _move(ledger, record)
            if results[n].status == "done":
                done.append(record)
        if isinstance(together, str) and len(done) < len(members):
            for record in reversed(done):
                _move_back(ledger, record)
            results |= {n: _TOGETHER for n, _ in members if results[n].status == "done"}
    return [results[n] for n in range(len(records))]


def _first(records: Sequence[TransferRecord], each: tuple[int, TransferRecord]) -> int:
    """Return where the record stands, those that belong together where the first of them does."""
    n, record = each
    if record.all_or_nothing is None:
        return n
    return next(m for m, other in enumerate(records) if other.all_or_nothing == record.all_or_nothing)


def _move(ledger: Ledger, record: TransferRecord) -> RecordResult:
    source, target, sku, quantity = record.source.place, record.target.place, record.sku, record.quantity
    if ledger.held.get((source, sku), 0) < quantity:
        return _refused("reservation.not_held", ledger.held.get((source, sku), 0))
    if not ledger.shelves.knows(target, sku):
        return _refused("stock.unknown")
    ledger.end(source, sku, quantity, "transferred")
    room = ledger.shelves.room(target, sku)
    if room < quantity and not record.ignore_availability:
        ledger.shelves.hold(source, sku, quantity)
        ledger.held[source, sku] += quantity
        ledger.ended.pop()
        return _refused("stock.short", room)
    ledger.add(target, sku, quantity)
    return RecordResult(status="done", quantity=quantity)


def _move_back(ledger: Ledger, record: TransferRecord) -> None:
    source, target = record.source.place, record.target.place
    ledger.shelves.hold(target, record.sku, -record.quantity)
    ledger.held[target, record.sku] -= record.quantity
    ledger.add(source, record.sku, record.quantity)
    ledger.ended.remove((source, record.sku, record.quantity, "transferred"))


def fulfill(ledger: Ledger, records: Sequence[FulfillRecord]) -> list[RecordResult]:
    """Take away from locations what is held there and has left."""

    def shipped(place: Place, record: FulfillRecord) -> RecordResult:
        on_hand = ledger.shelves.counters[place, record.sku].on_hand
        if on_hand < record.quantity:
            return _refused("stock.short", on_hand)
        ledger.end(place, record.sku, record.quantity, "fulfilled")
        return RecordResult(status="done", quantity=record.quantity)

    return [_held(ledger, Place("location", record.location), record, shipped) for record in records]


def release(ledger: Ledger, records: Sequence[ShelfUnits], status: str = "released") -> list[RecordResult]:
    """Hold no longer what *records* name."""

    def released(place: Place, record: ShelfUnits) -> RecordResult:
        ledger.end(place, record.sku, record.quantity, status)
        return RecordResult(status="done", quantity=record.quantity)

    return [_held(ledger, record.place, record, released) for record in records]


def release_all(ledger: Ledger, status: str) -> list[RecordResult]:
    """End everything that is held."""
    everything = sorted((at, quantity) for at, quantity in ledger.held.items() if quantity)
    for (place, sku), quantity in everything:
        ledger.end(place, sku, quantity, status)
    return [RecordResult(status="done", quantity=quantity) for _, quantity in everything]


def take_over(ledger: Ledger, group: Place, demand: Mapping[str, int]) -> Counter[str]:
    """
    End everything that is held; hold at *group* for an order what of it stood there or at its members.

    Returns what the order has by it, by SKU: never more than *demand*. The counters of the group do not change by it.
    """
    kept: Counter[str] = Counter()
    for (place, sku), quantity in sorted((at, quantity) for at, quantity in ledger.held.items() if quantity):
        taken = min(quantity, demand.get(sku, 0) - kept[sku]) if group in ledger.shelves.groups_at(place) else 0
        if taken:
            ledger.end(place, sku, taken, "ordered")
            ledger.shelves.hold(group, sku, taken)
            kept[sku] += taken
        if quantity > taken:
            ledger.end(place, sku, quantity - taken, "released")
    return kept


def hold_what_there_is(shelves: Shelves, group: Place, demand: Mapping[str, int]) -> Counter[str]:
    """Hold at *group* as much of *demand* (by SKU) as is available; return it."""
    held: Counter[str] = Counter()
    for sku, quantity in sorted(demand.items()):
        taken = min(quantity, shelves.room(group, sku)) if shelves.knows(group, sku) else 0
        if taken > 0:
            shelves.hold(group, sku, taken)
            held[sku] = taken
    return held


def _held[R: (FulfillRecord, ShelfUnits)](
    ledger: Ledger, place: Place, record: R, then: Callable[[Place, R], RecordResult]
) -> RecordResult:
    there = ledger.held.get((place, record.sku), 0)
    if there < record.quantity:
        return _refused("reservation.not_held", there)
    return then(place, record)


def _at(ledger: Ledger, at: Shelf) -> int:
    return ledger.held.get((at.place, at.sku), 0)


def _refused(code: str, available: int | None = None) -> RecordResult:
    return RecordResult(status="refused", quantity=0, code=code, available=available)


_TOGETHER = _refused("record.together")
"""It could be done, but not what it was to be done together with."""
