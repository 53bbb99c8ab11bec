"""What is available of many SKUs at many places, in one query: counters, promises, and what is on its way."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.inventory import available_to_fulfill, available_to_order
from orderloom.domain.model import Frozen, Identifier
from orderloom.readmodels.selling_ahead import SellAheadState, selling_ahead

MOST = 100
"""SKUs, and places, in one question."""

Names = Annotated[tuple[Identifier, ...], Field(max_length=MOST)]


class AvailabilityQuestion(Frozen):
    """SKUs at locations, or at groups, or alone: then at all locations that are in no group."""

    skus: Annotated[Names, Field(min_length=1)]
    locations: Names = ()
    groups: Names = ()
    channel: Identifier | None = None
    """Given, the answer says of each SKU what this channel may sell ahead."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.locations and self.groups:
            raise PydanticCustomError("field.one_place", "needs locations or groups, not both")
        return self


class Future(Frozen):
    """Units that are on their way."""

    expected_at: datetime | None
    """None: nobody knows when."""
    quantity: int


class ShelfAvailability(Frozen):
    """One SKU at one place."""

    location: str | None = None
    group: str | None = None
    sku: str
    on_hand: int
    reserved: int
    safety: int
    available_to_fulfill: int
    """On hand - reserved - safety."""
    available_to_order: int
    """On hand + futures - reserved - safety."""
    futures: tuple[Future, ...]
    sell_ahead: SellAheadState | None = None
    """What the channel that was asked for may sell beyond that; of the SKU, whatever the place."""


class Availability(Frozen):
    """The answer, by place and SKU. A pair that never had stock is left out, unless orders have waited for it there."""

    effective_at: datetime
    items: tuple[ShelfAvailability, ...]


_FUTURES = """
    SELECT jsonb_agg(jsonb_build_object('expected_at', f.expected_at, 'quantity', f.quantity)
                     ORDER BY f.expected_at NULLS LAST) AS futures
    FROM (SELECT e.expected_at, SUM(e.quantity)::int AS quantity FROM {source} GROUP BY e.expected_at) f
"""
_AT_LOCATIONS = """
    SELECT s.location_id AS location, NULL AS "group", s.sku, s.on_hand, s.reserved, s.safety, s.future, f.futures
    FROM stock s LEFT JOIN LATERAL ({futures}) f ON s.future > 0
    WHERE s.sku = ANY(:skus) AND {where}
    ORDER BY s.location_id, s.sku
"""
_OF_LOCATION = _FUTURES.format(
    source="expected_receipts e WHERE e.location_id = s.location_id AND e.sku = s.sku AND s.future > 0"
)
_OF_GROUP = _FUTURES.format(
    source="""location_group_members m JOIN expected_receipts e ON e.location_id = m.location_id
              WHERE m.group_id = s.group_id AND e.sku = s.sku AND s.future > 0"""
)
_LOCATIONS = _AT_LOCATIONS.format(futures=_OF_LOCATION, where="s.location_id = ANY(:places)")
_UNGROUPED = _AT_LOCATIONS.format(
    futures=_OF_LOCATION,
    where="NOT EXISTS (SELECT 1 FROM location_group_members m WHERE m.location_id = s.location_id)",
)
_GROUPS = f"""
    SELECT NULL AS location, s.group_id AS "group", s.sku, s.on_hand, s.reserved, s.safety, s.future, f.futures
    FROM group_stock s LEFT JOIN LATERAL ({_OF_GROUP}) f ON s.future > 0
    WHERE s.sku = ANY(:skus) AND s.group_id = ANY(:places)
    ORDER BY s.group_id, s.sku
"""  # noqa: S608  # put together from constants of this module


async def availability(conn: AsyncConnection, question: AvailabilityQuestion, now: datetime) -> Availability:
    """Return what is available, by one statement, never from a cache; a channel takes one more."""
    statement, places = _UNGROUPED, ()
    if question.groups:
        statement, places = _GROUPS, question.groups
    elif question.locations:
        statement, places = _LOCATIONS, question.locations
    given: dict[str, Any] = {"skus": list(question.skus)}
    parameters = [bindparam("skus", type_=ARRAY(Text))]
    if places:
        given["places"] = list(places)
        parameters.append(bindparam("places", type_=ARRAY(Text)))
    rows = await conn.execute(text(statement).bindparams(*parameters), given)
    found = [dict(row) for row in rows.mappings()]
    ahead = {} if question.channel is None else await selling_ahead(conn, question.channel, question.skus, now)
    return Availability(effective_at=now, items=tuple(_item(**row, sell_ahead=ahead.get(row["sku"])) for row in found))


def _item(*, future: int, futures: list[dict[str, Any]] | None, **row: Any) -> ShelfAvailability:
    on_hand, reserved, safety = row["on_hand"], row["reserved"], row["safety"]
    return ShelfAvailability(
        **row,
        available_to_fulfill=available_to_fulfill(on_hand, reserved, safety),
        available_to_order=available_to_order(on_hand, reserved, safety, future),
        futures=tuple(Future.model_validate(each) for each in futures or ()),
    )
