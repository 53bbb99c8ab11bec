"""The world that orders are placed in: channels, products, prices, locations, groups and stock, loaded in bulk."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import Table, Text, bindparam, func, insert, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.channel import ChannelPolicy
from orderloom.domain.locations import LocationTraits
from orderloom.domain.model import Frozen, Identifier
from orderloom.domain.money import Money
from orderloom.domain.order import Fulfilment
from orderloom.domain.sell_ahead import GivenSellAhead
from orderloom.persistence.releases import enter_loaded
from orderloom.persistence.sell_ahead_policies import Said, set_policies
from orderloom.persistence.stock import Change, change_groups, change_locations, groups_of
from orderloom.persistence.stock_merge import StockRow, merge_stock
from orderloom.persistence.tables.catalog import channels, prices, products
from orderloom.persistence.tables.inventory import (
    expected_receipts,
    group_stock,
    location_group_members,
    location_groups,
    locations,
    stock,
    stock_changes,
)
from orderloom.persistence.waking import restocked

OPENING = "opening"
"""The cause of changes of stock that a loaded world makes."""
Count = Annotated[int, Field(strict=True, ge=0)]


class Channel(Frozen):
    """A sales channel, its policy, and the release (by hash) in force for its new orders."""

    id: Identifier
    policy: ChannelPolicy
    release: str | None = None


class Product(Frozen):
    """Something that can be ordered by SKU."""

    sku: Identifier
    name: str = ""
    tax_category: str = "standard"
    active: bool = True
    fulfilment: Fulfilment = "ship"
    supplier: Identifier | None = None
    """The location that sends a ``dropship`` product; it needs one."""

    @model_validator(mode="after")
    def _supplied(self) -> Self:
        if (self.fulfilment == "dropship") != (self.supplier is not None):
            raise PydanticCustomError("product.supplier", "a dropship product, and no other, names its supplier")
        return self


class Price(Frozen):
    """The unit price of a SKU in a channel."""

    channel: Identifier
    sku: Identifier
    price: Money


class Location(Frozen):
    """A place that goods are sent from."""

    id: Identifier
    name: str = ""
    kind: str = "warehouse"
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None
    active: bool = True
    traits: LocationTraits = LocationTraits()


class Group(Frozen):
    """A location group and its members."""

    id: Identifier
    locations: list[Identifier]


class Stock(Frozen):
    """Stock of a SKU at a location."""

    location: Identifier
    sku: Identifier
    on_hand: Count
    safety: Count = 0
    future: Count = 0


class World(Frozen):
    """All of it. What a world does not name stays as it is."""

    channels: list[Channel] = []
    products: list[Product] = []
    prices: list[Price] = []
    sell_ahead: list[GivenSellAhead] = []
    locations: list[Location] = []
    groups: list[Group] = []
    stock: list[Stock] = []


async def load_world(conn: AsyncConnection, world: World, now: datetime, *, cause: str = OPENING) -> None:
    """
    Write *world*: new rows are added, known ones replaced; what is reserved stays reserved.

    Stock is set, not added. What on hand and safety stock change by stands in ``stock_changes`` with *cause*, and what
    has become free goes to orders that wait for it. Groups are counted anew from their members.
    """
    # Products name locations.
    await _upsert(conn, locations, ["id"], [_location(location) for location in world.locations])
    await _upsert(
        conn,
        products,
        ["sku"],
        [{**entry.model_dump(exclude={"supplier"}), "supplier_id": entry.supplier} for entry in world.products],
    )
    await _upsert_channels(conn, world.channels)
    await _upsert(
        conn,
        prices,
        ["channel_id", "sku", "currency"],
        [
            {
                "channel_id": entry.channel,
                "sku": entry.sku,
                "currency": entry.price.currency,
                "amount": entry.price.amount,
            }
            for entry in world.prices
        ],
    )
    if world.sell_ahead:
        await set_policies(conn, world.sell_ahead, Said(by="world", reason="loaded", at=now))
    await _upsert(conn, location_groups, ["id"], [{"id": group.id} for group in world.groups])
    await _upsert(
        conn,
        location_group_members,
        ["group_id", "location_id"],
        [{"group_id": group.id, "location_id": member} for group in world.groups for member in group.locations],
    )
    await _upsert_shelves(conn, world.stock)
    if world.stock:
        await _write_futures(conn, world.stock)
    if world.stock or world.groups:
        await conn.execute(_LOCK_GROUPS)
        await conn.execute(_COUNT_GROUPS)
    if world.stock:
        rows = [StockRow(n, s.location, s.sku, s.on_hand, None, cause, s.safety) for n, s in enumerate(world.stock)]
        await merge_stock(conn, rows, "full", now)


async def _upsert_shelves(conn: AsyncConnection, given: Sequence[Stock]) -> None:
    """Write all of the shelves but on hand and safety stock: those are merged as any other count is."""
    if not given:
        return
    statement = upsert(stock)
    rows = [{"location_id": each.location, "sku": each.sku, "on_hand": 0, "future": each.future} for each in given]
    changed = {"future": statement.excluded.future}
    statement = statement.on_conflict_do_update(index_elements=["location_id", "sku"], set_=changed)
    await conn.execute(statement, sorted(rows, key=lambda row: (row["location_id"], row["sku"])))


async def _write_futures(conn: AsyncConnection, given: Sequence[Stock]) -> None:
    """Let the sum of what is expected of each row be its future: one receipt whose day is not known."""
    named = {"locations": [entry.location for entry in given], "skus": [entry.sku for entry in given]}
    await conn.execute(_FORGET_FUTURES, named)
    rows = [
        {
            "id": f"loaded:{entry.location}:{entry.sku}",
            "location_id": entry.location,
            "sku": entry.sku,
            "quantity": entry.future,
        }
        for entry in given
        if entry.future
    ]
    if rows:
        await conn.execute(insert(expected_receipts), rows)


def _location(location: Location) -> dict[str, Any]:
    traits = location.traits.model_dump(mode="json", exclude_defaults=True)
    return location.model_dump(exclude={"traits"}) | {"traits": traits}


async def _upsert_channels(conn: AsyncConnection, given: Sequence[Channel]) -> None:
    """Write channels; one that names no release keeps the one that is in force."""
    rows = [
        {"id": channel.id, "policy": channel.policy.model_dump(mode="json"), "release": channel.release}
        for channel in given
    ]
    if rows:
        statement = upsert(channels)
        changed = {
            "policy": statement.excluded.policy,
            "release": func.coalesce(statement.excluded.release, channels.c.release),
        }
        await conn.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changed), rows)
        await enter_loaded(conn, [(channel.id, channel.release) for channel in given if channel.release is not None])


async def _upsert(conn: AsyncConnection, table: Table, key: Sequence[str], rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    statement = upsert(table)
    changed = {name: statement.excluded[name] for name in rows[0] if name not in key}
    if changed:
        statement = statement.on_conflict_do_update(index_elements=key, set_=changed)
    else:
        statement = statement.on_conflict_do_nothing()
    await conn.execute(statement, sorted(rows, key=lambda row: [row[name] for name in key]))


_FORGET_FUTURES = text(
    """
    DELETE FROM expected_receipts e USING unnest(:locations, :skus) AS g(location_id, sku)
    WHERE e.location_id = g.location_id AND e.sku = g.sku
    """
).bindparams(bindparam("locations", type_=ARRAY(Text)), bindparam("skus", type_=ARRAY(Text)))


# First, so that what others have under way is either counted or comes on top.
_LOCK_GROUPS = text("SELECT 1 FROM group_stock ORDER BY group_id, sku FOR UPDATE")
# What a group itself holds of a SKU is the same beside each of its members: hence MAX.
_COUNT_GROUPS = text(
    """
    INSERT INTO group_stock (group_id, sku, on_hand, reserved, safety, future)
    SELECT m.group_id, s.sku, SUM(s.on_hand),
           SUM(s.reserved) + COALESCE(MAX(held.quantity), 0)
           + COALESCE((
               SELECT SUM(CASE WHEN l.location_id IS NULL THEN l.own ELSE l.own - l.quantity END)
               FROM proposals p JOIN proposal_lines l ON l.proposal_id = p.id
               WHERE p.group_id = m.group_id AND l.sku = s.sku AND p.status = 'open'), 0),
           SUM(s.safety), SUM(s.future)
    FROM location_group_members m JOIN stock s ON s.location_id = m.location_id
        LEFT JOIN (SELECT group_id, sku, SUM(quantity) AS quantity FROM reservations
                   WHERE location_id IS NULL AND status = 'active' GROUP BY group_id, sku) held
            ON held.group_id = m.group_id AND held.sku = s.sku
    GROUP BY m.group_id, s.sku ORDER BY m.group_id, s.sku
    ON CONFLICT (group_id, sku) DO UPDATE SET
        on_hand = EXCLUDED.on_hand, reserved = EXCLUDED.reserved, safety = EXCLUDED.safety, future = EXCLUDED.future
    """
)


async def change_stock(  # noqa: PLR0917  # in the order in which one says it
    conn: AsyncConnection, location: str, sku: str, delta: int, cause: str, now: datetime
) -> None:
    """
    Change what is on hand of *sku* at *location* by *delta*, in its groups too, and note the cause.

    A SKU that the location never had starts at zero. What comes in goes to orders that wait for it.

    Raises:
        StockMoved: less than ``-delta`` is on hand.
    """
    groups = (await groups_of(conn, [location]))[location]
    await _ensure(conn, stock, {"location_id": location, "sku": sku})
    await change_locations(conn, {(location, sku): Change(on_hand=delta)})
    for group in groups:
        await _ensure(conn, group_stock, {"group_id": group, "sku": sku})
    await change_groups(conn, {(group, sku): Change(on_hand=delta) for group in groups})
    await conn.execute(insert(stock_changes).values(location_id=location, sku=sku, quantity=delta, cause=cause, at=now))
    await restocked(conn, {(location, sku): delta}, now=now)


async def _ensure(conn: AsyncConnection, table: Table, key: dict[str, str]) -> None:
    await conn.execute(upsert(table).values(**key, on_hand=0).on_conflict_do_nothing())
