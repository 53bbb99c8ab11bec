"""Plays whoever holds stock without an order: sends what the steps say, and compares what is answered."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.model import JsonObject
from orderloom.readmodels.reservations import reservation_by_id
from orderloom.scenarios.base import seconds
from orderloom.scenarios.clerk import Answer, Clerk
from orderloom.scenarios.commands import Writer
from orderloom.scenarios.compare import Difference, Exact, Tree, differences, tree
from orderloom.scenarios.durations import since
from orderloom.scenarios.names import Namespace
from orderloom.scenarios.stock_steps import (
    Availability,
    Fulfill,
    Held,
    Release,
    ReservationOutcome,
    Reserve,
    Transfer,
)
from orderloom.scenarios.world import World

type StockStep = Reserve | Transfer | Fulfill | Release | Availability


class StockClerk:
    """Carries out the steps of one case that are about stock alone."""

    def __init__(self, clerk: Clerk, world: World, names: Namespace, start: datetime) -> None:
        self._clerk = clerk
        self._locations = set(world.locations)
        self._names = names
        self._channel = Writer(world, names).channel
        self._start = start

    async def do(self, step: StockStep) -> list[Difference]:
        """Carry out a step and return what is not as it demands."""
        match step:
            case Reserve():
                return await self._reserve(step)
            case Transfer():
                return await self._change(step, "transfers", [self._move(each) for each in step.records])
            case Fulfill():
                return await self._change(step, "fulfillments", self._records(step.at))
            case Release():
                return await self._change(step, "releases", self._records(step.at))
            case Availability():
                return await self._available(step)

    async def _reserve(self, step: Reserve) -> list[Difference]:
        body: JsonObject = {"owner": step.owner, "records": self._records(step.at), "partial": step.partial}
        if step.expires is not None:
            body["expires_in"] = int(seconds(step.expires))
        if step.for_channel:
            body["channel"] = self._channel
        key = self._names.inside(step.as_)
        answer = await self._clerk.ask("/v1/reservations", body, key)
        found = answer.unlike(step.refused)
        if step.twice:
            found += _same(answer, await self._clerk.ask("/v1/reservations", body, key))
        if not found and step.refused is None:
            wanted = step.at if step.granted is None else step.granted
            expected = [quantity for skus in wanted.values() for quantity in skus.values()]
            actual = [each["quantity"] for each in _results(answer)]
            found += differences(cast("Tree", expected), cast("Tree", actual), "granted")
        return found

    async def _change(
        self, step: Transfer | Fulfill | Release, what: str, records: list[JsonObject]
    ) -> list[Difference]:
        path = f"/v1/reservations/{self._names.inside(step.reservation)}/{what}"
        key = self._clerk.new_key()
        body: JsonObject = {"records": cast("Any", records)}
        answer = await self._clerk.ask(path, body, key)
        found = answer.unlike(step.refused)
        if step.twice:
            found += _same(answer, await self._clerk.ask(path, body, key))
        if not found and step.refused is None:
            actual = [str(each["code"] or each["status"]) for each in _results(answer)]
            expected = step.results or ["done"] * len(actual)
            found += differences(cast("Tree", expected), cast("Tree", actual), "results")
        return found

    async def _available(self, step: Availability) -> list[Difference]:
        inside = self._names.inside
        body: JsonObject = {
            "skus": [inside(sku) for sku in step.skus],
            "locations": [inside(place) for place in step.locations or ()],
            "groups": [inside(place) for place in step.groups or ()],
            "channel": self._channel,
        }
        answer = await self._clerk.ask("/v1/availability", body, self._clerk.new_key())
        found = answer.unlike(None)
        actual: dict[str, dict[str, Tree]] = {}
        for item in cast("list[dict[str, Any]]", answer.body.get("items", [])):
            place = self._names.outside(item["location"] or item["group"])
            actual.setdefault(place, {})[self._names.outside(item["sku"])] = {
                "on_hand": item["on_hand"],
                "reserved": item["reserved"],
                "safety": item["safety"],
                "atf": item["available_to_fulfill"],
                "ato": item["available_to_order"],
                "futures": [self._future(each) for each in item["futures"]],
                "sell_ahead": self._ahead(item["sell_ahead"]),
            }
        expected = Exact({place: Exact(cast("Any", tree(skus))) for place, skus in step.answer.items()})
        return found + differences(expected, cast("Tree", actual), "availability")

    def _future(self, each: Mapping[str, Any]) -> Tree:
        return {"quantity": each["quantity"], "after": self._after(each["expected_at"])}

    def _ahead(self, state: Mapping[str, Any]) -> Tree:
        dates = {name: self._after(state[name]) for name in ("until", "release_at")}
        return {**cast("dict[str, Tree]", state), **dates}

    def _after(self, date: str | None) -> str | None:
        return None if date is None else since(self._start, datetime.fromisoformat(date))

    def _place(self, name: str) -> JsonObject:
        return {"location" if name in self._locations else "group": self._names.inside(name)}

    def _records(self, at: Held) -> Any:
        return [
            {**self._place(place), "sku": self._names.inside(sku), "quantity": quantity}
            for place, skus in at.items()
            for sku, quantity in skus.items()
        ]

    def _move(self, each: Any) -> JsonObject:
        return {
            "from": self._place(each.from_),
            "to": self._place(each.to),
            "sku": self._names.inside(each.sku),
            "quantity": each.quantity,
            "ignore_availability": each.ignore_availability,
            "all_or_nothing": each.together,
        }


async def reservation_differences(
    conn: AsyncConnection, expected: Mapping[str, ReservationOutcome], names: Namespace, start: datetime
) -> list[Difference]:
    """Return how reservations differ from what is expected of them."""
    found: list[Difference] = []
    for name, outcome in expected.items():
        view = await reservation_by_id(conn, names.inside(name))
        actual: dict[str, Tree] = {}
        if view is not None:
            held: dict[str, dict[str, Tree]] = {}
            for units in view.units:
                if units.status == "active":
                    place = names.outside(units.location or units.group or "")
                    held.setdefault(place, {})[names.outside(units.sku)] = units.quantity
            actual = {"status": view.status, "held": cast("Tree", held)}
            if view.expires_at is not None:
                actual["expires"] = since(start, view.expires_at)
        wanted = cast("dict[str, Tree]", tree(outcome))
        if outcome.held is not None:
            wanted["held"] = Exact({place: Exact(cast("Any", skus)) for place, skus in outcome.held.items()})
        found += differences(wanted, actual, f"reservations.{name}")
    return found


def _results(answer: Answer) -> Sequence[dict[str, Any]]:
    return cast("list[dict[str, Any]]", answer.body.get("results", []))


def _same(first: Answer, second: Answer) -> list[Difference]:
    if first == second:
        return []
    return [Difference(path="asked twice", expected=str(first), actual=str(second))]
