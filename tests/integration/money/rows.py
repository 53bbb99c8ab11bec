"""Rows of the world that the money tests start from: stock, an order, its fulfillment orders."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.unit import Unit
from orderloom.contracts.messages import ReleasePin
from orderloom.domain.channel import ChannelPolicy
from orderloom.domain.units import Account as Place
from orderloom.domain.units import Movement, UnitState, move
from orderloom.persistence import tables

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ORDER = "100001"
PIN = ReleasePin(release="none", subscriptions={})
POLICY = ChannelPolicy(currency="EUR", location_group="all")


@dataclass(frozen=True, kw_only=True)
class LineSpec:
    """A line: units, adjusted amount and tax, in cents."""

    quantity: int
    amount: int
    tax: int
    kind: str = "product"


@dataclass(frozen=True, kw_only=True)
class PaymentSpec:
    """A payment: what it covers, and what of it the channel has authorised or captured."""

    amount: int
    method: str = "card"
    gateway: str = "sandbox"
    authorised: bool = True
    captured: bool = False
    token: str = "tok_ok"


B = {
    "X": LineSpec(quantity=2, amount=4500, tax=450),
    "Y": LineSpec(quantity=1, amount=3000, tax=300),
    "D": LineSpec(quantity=1, amount=1000, tax=100, kind="delivery"),
}
"""Base order B of the golden scenarios: 93.50."""


def card(amount: int, **more: Any) -> PaymentSpec:
    """A card that the channel has authorised."""
    return PaymentSpec(amount=amount, **more)


def gift_card(amount: int) -> PaymentSpec:
    """A gift card that the channel has captured."""
    return PaymentSpec(amount=amount, method="gift_card", authorised=False, captured=True)


def on_account(amount: int) -> PaymentSpec:
    """A tender on account."""
    return PaymentSpec(amount=amount, method="account", gateway="account", authorised=False)


def placed(line_id: str, line: LineSpec) -> Movement:
    return Movement(
        line_id=line_id,
        source=Place(state=UnitState.SOURCE),
        target=Place(state=UnitState.OPEN),
        quantity=line.quantity,
        amount=line.amount,
        tax=line.tax,
    )


def at(state: UnitState, location: str, fulfillment_order: str) -> Place:
    return Place(state=state, place=location, fulfillment_order=fulfillment_order)


async def move_all(unit: Unit, units: dict[str, int], source: Place, target: Place) -> None:
    pools = {pool.line_id: pool for pool in await unit.pools() if pool.account == source}
    await unit.move_units([move(pools[line_id], quantity, target) for line_id, quantity in units.items()])


async def insert_order(conn: Any, lines: dict[str, LineSpec], life_cycle: str) -> None:
    await conn.execute(
        insert(tables.orders.orders).values(
            id=ORDER,
            channel_id="web",
            external_id="W-1",
            currency="EUR",
            life_cycle=life_cycle,
            policy=POLICY.model_dump(mode="json"),
            placed_at=NOW,
            release=PIN.release,
            pin=PIN.model_dump(mode="json"),
            wanted=[],
        )
    )
    await conn.execute(insert(tables.orders.delivery_groups).values(order_id=ORDER, id="1", country="DE"))
    await conn.execute(
        insert(tables.orders.order_lines),
        [
            {
                "order_id": ORDER,
                "id": id,
                "position": position,
                "kind": line.kind,
                "sku": id if line.kind == "product" else None,
                "delivery_group_id": "1",
                "quantity": line.quantity,
                "unit_price": line.amount // line.quantity,
                "line_amount": line.amount,
                "adjustment": 0,
                "tax": line.tax,
                "tax_category": "standard",
            }
            for position, (id, line) in enumerate(lines.items(), start=1)
        ],
    )


async def insert_fulfillment_order(unit: Unit, id: str, location: str, units: dict[str, int]) -> None:
    await (await unit.written()).execute(
        insert(tables.fulfillment.fulfillment_orders).values(
            id=id,
            order_id=ORDER,
            number=int(id[-1]),
            delivery_group_id="1",
            location_id=location,
            status="allocated",
            attempt=1,
            created_at=NOW,
        )
    )
    await (await unit.written()).execute(
        insert(tables.fulfillment.fulfillment_order_lines),
        [
            {"fulfillment_order_id": id, "line_id": line_id, "original_quantity": quantity}
            for line_id, quantity in units.items()
        ],
    )


async def reserve(unit: Unit, sku: str, quantity: int, location: str, fulfillment_order: str) -> None:
    stock, groups = tables.inventory.stock, tables.inventory.group_stock
    await (await unit.written()).execute(
        update(stock)
        .where(stock.c.location_id == location, stock.c.sku == sku)
        .values(reserved=stock.c.reserved + quantity)
    )
    await (await unit.written()).execute(
        update(groups).where(groups.c.sku == sku).values(reserved=groups.c.reserved + quantity)
    )
    await (await unit.written()).execute(
        insert(tables.inventory.reservations).values(
            order_id=ORDER,
            line_id=sku,
            sku=sku,
            group_id="all",
            location_id=location,
            fulfillment_order_id=fulfillment_order,
            quantity=quantity,
            status="active",
            created_at=NOW,
        )
    )


async def stock_world(conn: AsyncConnection) -> None:
    """Insert channel ``web``, products X, Y and S, and 10 of each at locations A and B of group ``all``."""
    skus = ("X", "Y", "S")
    await conn.execute(insert(tables.catalog.channels).values(id="web", policy=POLICY.model_dump(mode="json")))
    await conn.execute(insert(tables.catalog.products), [{"sku": sku, "name": sku} for sku in skus])
    await conn.execute(
        insert(tables.inventory.locations), [{"id": id, "name": id, "country": "DE"} for id in ("A", "B")]
    )
    await conn.execute(insert(tables.inventory.location_groups).values(id="all"))
    await conn.execute(
        insert(tables.inventory.location_group_members),
        [{"group_id": "all", "location_id": id} for id in ("A", "B")],
    )
    await conn.execute(
        insert(tables.inventory.stock),
        [{"location_id": id, "sku": sku, "on_hand": 10} for id in ("A", "B") for sku in skus],
    )
    await conn.execute(
        insert(tables.inventory.group_stock), [{"group_id": "all", "sku": sku, "on_hand": 20} for sku in skus]
    )
