"""
Capacity of locations by day: conditional statements, never read and then written (reference section 1.2).

A day is full when held + assigned reaches the location's capacity. The rows are locked after those of stock, by
location and day, so that no two transactions wait for each other in a circle. A day's row is there from the first
fulfillment order on; a location without a capacity has none.

What must hold, for the doctor: ``assigned`` of a location and day is the number of fulfillment orders with this
location and ``capacity_day`` that are neither rejected nor cancelled; ``held`` is the number of those that
open proposals hold it for (``proposal_capacity``).
"""

from collections.abc import Mapping
from datetime import date
from functools import cache

from sqlalchemy import Date, Integer, Text, TextClause, bindparam, column, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.capacity import CapacityNotHeld, CapacityTaken, Day
from orderloom.persistence.writes import at_most

_RAISE = """
    WITH wanted AS (
        SELECT * FROM jsonb_to_recordset(:changes) AS w(location text, day date, held int, assigned int) LIMIT {limit}
    ), raised AS (
        INSERT INTO location_capacity AS c (location_id, day, held, assigned)
        SELECT w.location, w.day, w.held, w.assigned FROM wanted w JOIN locations l ON l.id = w.location
        WHERE w.held + w.assigned <= COALESCE((l.traits->>'capacity')::int, 2147483647)
        ORDER BY w.location, w.day
        ON CONFLICT (location_id, day) DO UPDATE
            SET held = c.held + EXCLUDED.held, assigned = c.assigned + EXCLUDED.assigned
            WHERE c.held + c.assigned + EXCLUDED.held + EXCLUDED.assigned
                <= COALESCE((SELECT (l.traits->>'capacity')::int FROM locations l WHERE l.id = c.location_id),
                            2147483647)
        RETURNING location_id, day
    )
    SELECT location, day FROM wanted EXCEPT SELECT location_id, day FROM raised ORDER BY location, day
"""

_LOWER = """
    WITH wanted AS (
        SELECT * FROM jsonb_to_recordset(:changes) AS w(location text, day date, held int, assigned int) LIMIT {limit}
    ), locked AS (
        SELECT c.location_id, c.day
        FROM location_capacity c JOIN wanted w ON w.location = c.location_id AND w.day = c.day
        ORDER BY c.location_id, c.day FOR UPDATE OF c
    ), lowered AS (
        UPDATE location_capacity c SET held = c.held + w.held, assigned = c.assigned + w.assigned
        FROM wanted w JOIN locked l ON l.location_id = w.location AND l.day = w.day
        WHERE c.location_id = w.location AND c.day = w.day AND c.held + w.held >= 0 AND c.assigned + w.assigned >= 0
        RETURNING c.location_id, c.day
    )
    SELECT location, day FROM wanted EXCEPT SELECT location_id, day FROM lowered ORDER BY location, day
"""


@cache
def _sized(statement: str, limit: int) -> TextClause:
    told = (column("location", Text), column("day", Date))
    return text(statement.format(limit=limit)).bindparams(bindparam("changes", type_=JSONB)).columns(*told)  # pyright: ignore[reportReturnType]


async def hold(conn: AsyncConnection, counts: Mapping[Day, int]) -> None:
    """
    Hold capacity for fulfillment orders that may come, all or nothing: held + n.

    Raises:
        CapacityTaken: a day would be more than full.
    """
    await _raise(conn, counts, "held")


async def assign(conn: AsyncConnection, counts: Mapping[Day, int]) -> None:
    """
    Hold and confirm in one, for fulfillment orders that come with this transaction: assigned + n, all or nothing.

    Raises:
        CapacityTaken: a day would be more than full.
    """
    await _raise(conn, counts, "assigned")


async def confirm(conn: AsyncConnection, counts: Mapping[Day, int]) -> None:
    """
    Let what is held be assigned: held - n, assigned + n.

    Raises:
        CapacityNotHeld: less is held.
    """
    await _lower(conn, counts, held=-1, assigned=1)


async def release(conn: AsyncConnection, counts: Mapping[Day, int]) -> None:
    """
    Give back what is held and not confirmed: held - n.

    Raises:
        CapacityNotHeld: less is held.
    """
    await _lower(conn, counts, held=-1, assigned=0)


async def unassign(conn: AsyncConnection, counts: Mapping[Day, int]) -> None:
    """
    Give back what is assigned, for fulfillment orders that are rejected, cancelled or moved away: assigned - n.

    Raises:
        CapacityNotHeld: less is assigned.
    """
    await _lower(conn, counts, held=0, assigned=-1)


async def move_assigned(conn: AsyncConnection, source: Day | None, target: Day | None) -> None:
    """
    Let a fulfillment order take the capacity of *target* instead of that of *source*; None takes none.

    Raises:
        CapacityTaken: the target's day is full.
        CapacityNotHeld: nothing is assigned at the source.
    """
    # By location and day, as all others lock them.
    for day in sorted(each for each in (source, target) if each is not None and source != target):
        await (assign if day == target else unassign)(conn, {day: 1})


async def _raise(conn: AsyncConnection, counts: Mapping[Day, int], counter: str) -> None:
    refused = await _change(conn, _RAISE, counts, {"held": 0, "assigned": 0, counter: 1})
    if refused is not None:
        location, day = refused
        detail = f"{location} can take no more fulfillment orders on {day.isoformat()}"
        raise CapacityTaken(detail, location=location, day=day.isoformat())


async def _lower(conn: AsyncConnection, counts: Mapping[Day, int], *, held: int, assigned: int) -> None:
    refused = await _change(conn, _LOWER, counts, {"held": held, "assigned": assigned})
    if refused is not None:
        location, day = refused
        detail = f"{location} has less than {counts[refused]} held or assigned on {day.isoformat()}"
        raise CapacityNotHeld(detail, location=location, day=day.isoformat())


async def _change(
    conn: AsyncConnection, statement: str, counts: Mapping[Day, int], signs: Mapping[str, int]
) -> Day | None:
    """Run *statement* and return the first day that it refused; nothing is run for no days."""
    rows = [
        {"location": location, "day": day.isoformat(), **{name: sign * count for name, sign in signs.items()}}
        for (location, day), count in sorted(counts.items())
        if count
    ]
    if not rows:
        return None
    refused = (await conn.execute(_sized(statement, at_most(len(rows))), {"changes": rows})).first()
    return None if refused is None else (refused.location, refused.day)


_TAKEN = (
    text(
        """
    SELECT w.location, c.held + c.assigned AS taken
    FROM (SELECT * FROM jsonb_to_recordset(:days) AS w(location text, day date)) w
    JOIN location_capacity c ON c.location_id = w.location AND c.day = w.day
    """
    )
    .bindparams(bindparam("days", type_=JSONB))
    .columns(column("location", Text), column("taken", Integer))
)


async def taken(conn: AsyncConnection, days: Mapping[str, date]) -> dict[str, int]:
    """Return by location how much of its capacity is held or assigned on the day given for it."""
    counted = dict.fromkeys(days, 0)
    rows = [{"location": location, "day": day.isoformat()} for location, day in sorted(days.items())]
    for row in await conn.execute(_TAKEN, {"days": rows}) if rows else ():
        counted[row.location] = row.taken
    return counted
