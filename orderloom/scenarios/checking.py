"""Checks an expectation against what has become of a case."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.exception_status import ACTIVE
from orderloom.domain.inventory import available_to_fulfill, available_to_order
from orderloom.persistence.tables.fulfillment import routing_schedules
from orderloom.persistence.tables.inventory import group_stock, reservations, stock
from orderloom.persistence.tables.operations import process_exceptions
from orderloom.persistence.tables.orders import orders
from orderloom.persistence.tables.places import location_capacity
from orderloom.scenarios.compare import Difference, Tree, differences, tree
from orderloom.scenarios.expectation import Expectation, OrderOutcome
from orderloom.scenarios.names import Namespace
from orderloom.scenarios.observe import Observer
from orderloom.scenarios.stock_clerk import reservation_differences


class Checker:
    """Checks expectations of one case at one moment."""

    def __init__(self, conn: AsyncConnection, currency: str, names: Namespace, start: datetime) -> None:
        self._conn = conn
        self._currency = currency
        self._names = names
        self._start = start

    async def check(
        self, expectation: Expectation, order_ids: Mapping[str, str], gateway: Mapping[str, int]
    ) -> list[Difference]:
        """Return every difference; *gateway* is what its own books say."""
        observed = order_ids if expectation.never else {name: order_ids[name] for name in expectation.orders}
        trees = {
            name: await Observer(self._conn, id, self._currency, self._names, self._start).tree()
            for name, id in observed.items()
        }
        found: list[Difference] = []
        for name, outcome in expectation.orders.items():
            found += _of_order(f"orders.{name}", outcome, trees[name])
        for name, actual in trees.items():
            found += _happened(f"orders.{name}", expectation.never, actual)
        for place, table in (("stock", stock), ("groups", group_stock)):
            for location, skus in cast("dict[str, dict[str, Any]]", getattr(expectation, place)).items():
                actual = await self._stock(table, location)
                found += differences(_open_map(tree(skus)), cast("Tree", actual), f"{place}.{location}")
        for location, days in expectation.capacity.items():
            taken = cast("Tree", await self._capacity(location))
            found += differences(cast("Tree", days), taken, f"capacity.{location}")
        found += await reservation_differences(self._conn, expectation.reservations, self._names, self._start)
        if expectation.gateway is not None:
            found += differences(_open_map(tree(expectation.gateway)), cast("Tree", dict(gateway)), "gateway")
        if expectation.summary is not None:
            found += differences(tree(expectation.summary), await self._summary(list(order_ids.values())), "summary")
        return found

    async def _stock(self, table: Any, place: str) -> dict[str, Tree]:
        key = table.c.location_id if table is stock else table.c.group_id
        columns = (table.c.sku, table.c.on_hand, table.c.reserved, table.c.safety, table.c.future)
        rows = (await self._conn.execute(select(*columns).where(key == self._names.inside(place)))).all()
        return {
            self._names.outside(row.sku): {
                "on_hand": row.on_hand,
                "reserved": row.reserved,
                "atf": available_to_fulfill(row.on_hand, row.reserved, row.safety),
                "ato": available_to_order(row.on_hand, row.reserved, row.safety, row.future),
            }
            for row in rows
        }

    async def _capacity(self, location: str) -> list[int]:
        day = location_capacity.c
        query = select(day.held + day.assigned).where(
            day.location_id == self._names.inside(location), day.held + day.assigned > 0
        )
        return list((await self._conn.execute(query.order_by(day.day))).scalars())

    async def _summary(self, ids: list[str]) -> dict[str, Tree]:
        count = func.count
        queries = {
            "accepted": select(count()).where(orders.c.id.in_(ids)),
            "reserved": select(count(reservations.c.order_id.distinct())).where(
                reservations.c.order_id.in_(ids), reservations.c.status.in_(("active", "transferred", "fulfilled"))
            ),
            "waiting": select(count(routing_schedules.c.order_id.distinct())).where(
                routing_schedules.c.order_id.in_(ids), routing_schedules.c.status == "scheduled"
            ),
            "exceptions": select(count()).where(
                process_exceptions.c.order_id.in_(ids), process_exceptions.c.status.in_(ACTIVE)
            ),
        }
        return {name: int((await self._conn.execute(query)).scalar_one()) for name, query in queries.items()}


def _of_order(path: str, outcome: OrderOutcome, actual: dict[str, Tree]) -> list[Difference]:
    expected = cast("dict[str, Tree]", tree(outcome))
    expected.pop("never", None)
    if outcome.journal is not None:
        counts = cast("dict[str, Tree]", actual["journal"])
        actual = {**actual, "journal": {**dict.fromkeys(outcome.journal, 0), **counts}}
    if outcome.order_of is not None:
        first = cast("list[Tree]", actual["order_of"])
        actual = {**actual, "order_of": [type for type in first if type in outcome.order_of]}
    return differences(expected, actual, path) + _happened(path, outcome.never or [], actual)


def _happened(path: str, never: list[str], actual: dict[str, Tree]) -> list[Difference]:
    happened = cast("list[str]", actual["happened"])
    return [
        Difference(path=f"{path}.never", expected=f"no {name}", actual=f"{name} has occurred")
        for name in never
        if name in happened
    ]


def _open_map(value: Tree) -> Tree:
    """Return *value* so that only its given keys are compared."""
    return dict(value) if isinstance(value, dict) else value
