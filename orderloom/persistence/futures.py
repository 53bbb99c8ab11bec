"""Future stock: receipts that are expected, and the counters that are their sums, at locations and in groups."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.persistence.stock import Key
from orderloom.persistence.tables.inventory import expected_receipts

_receipt = expected_receipts.c


class Receipt(NamedTuple):
    """What is expected at a location."""

    id: str
    location: str
    sku: str
    quantity: int
    expected_at: datetime | None


_UNKNOWN = text(
    """
    SELECT w.location_id, w.sku, EXISTS (SELECT 1 FROM locations l WHERE l.id = w.location_id) AS placed
    FROM jsonb_to_recordset(:shelves) AS w(location_id text, sku text)
    WHERE NOT EXISTS (SELECT 1 FROM locations l WHERE l.id = w.location_id)
       OR NOT EXISTS (SELECT 1 FROM products p WHERE p.sku = w.sku)
    """
).bindparams(bindparam("shelves", type_=JSONB))
_ENSURE_STOCK = text(
    """
    INSERT INTO stock (location_id, sku, on_hand)
    SELECT w.location_id, w.sku, 0 FROM jsonb_to_recordset(:shelves) AS w(location_id text, sku text)
    ORDER BY 1, 2 ON CONFLICT DO NOTHING
    """
).bindparams(bindparam("shelves", type_=JSONB))
_CHANGE_STOCK = text(
    """
    WITH wanted AS (SELECT * FROM jsonb_to_recordset(:shelves) AS w(location_id text, sku text, future int)),
    locked AS (
        SELECT s.location_id, s.sku FROM stock s JOIN wanted w ON w.location_id = s.location_id AND w.sku = s.sku
        ORDER BY s.location_id, s.sku FOR UPDATE OF s
    )
    UPDATE stock s SET future = s.future + w.future
    FROM wanted w JOIN locked l ON l.location_id = w.location_id AND l.sku = w.sku
    WHERE s.location_id = w.location_id AND s.sku = w.sku
    """
).bindparams(bindparam("shelves", type_=JSONB))
_ENSURE_GROUPS = text(
    """
    INSERT INTO group_stock (group_id, sku, on_hand)
    SELECT DISTINCT m.group_id, w.sku, 0
    FROM jsonb_to_recordset(:shelves) AS w(location_id text, sku text)
    JOIN location_group_members m ON m.location_id = w.location_id
    ORDER BY 1, 2 ON CONFLICT DO NOTHING
    """
).bindparams(bindparam("shelves", type_=JSONB))
_CHANGE_GROUPS = text(
    """
    WITH summed AS (
        SELECT m.group_id, w.sku, SUM(w.future)::int AS future
        FROM jsonb_to_recordset(:shelves) AS w(location_id text, sku text, future int)
        JOIN location_group_members m ON m.location_id = w.location_id
        GROUP BY m.group_id, w.sku
    ), locked AS (
        SELECT g.group_id, g.sku FROM group_stock g JOIN summed d ON d.group_id = g.group_id AND d.sku = g.sku
        ORDER BY g.group_id, g.sku FOR UPDATE OF g
    )
    UPDATE group_stock g SET future = g.future + d.future
    FROM summed d JOIN locked l ON l.group_id = d.group_id AND l.sku = d.sku
    WHERE g.group_id = d.group_id AND g.sku = d.sku
    """
).bindparams(bindparam("shelves", type_=JSONB))
_LOCK_RECEIPTS = (
    select(expected_receipts)
    .where(_receipt.id.in_(bindparam("ids", expanding=True)))
    .order_by(_receipt.id)
    .with_for_update()
)


async def unknown_shelves(conn: AsyncConnection, shelves: Iterable[Key]) -> dict[Key, str]:
    """Return which of *shelves* cannot be, with the code of why: ``location.unknown`` or ``sku.unknown``."""
    rows = [{"location_id": location, "sku": sku} for location, sku in sorted(set(shelves))]
    found = await conn.execute(_UNKNOWN, {"shelves": rows})
    return {(row.location_id, row.sku): "sku.unknown" if row.placed else "location.unknown" for row in found}


async def lock_receipts(conn: AsyncConnection, ids: Iterable[str]) -> dict[str, Receipt]:
    """Lock receipts that are expected, and return them by id."""
    rows = await conn.execute(_LOCK_RECEIPTS, {"ids": sorted(set(ids))})
    return {row.id: Receipt(row.id, row.location_id, row.sku, row.quantity, row.expected_at) for row in rows}


async def write_receipts(conn: AsyncConnection, before: Mapping[str, Receipt], after: Iterable[Receipt]) -> None:
    """Replace receipts, which the caller has locked, and move the counters; a quantity of 0 takes one away."""
    changes: Counter[Key] = Counter()
    kept: list[dict[str, Any]] = []
    gone: list[str] = []
    for receipt in after:
        if (was := before.get(receipt.id)) is not None:
            changes[was.location, was.sku] -= was.quantity
        if receipt.quantity:
            changes[receipt.location, receipt.sku] += receipt.quantity
            kept.append(
                {
                    "id": receipt.id,
                    "location_id": receipt.location,
                    "sku": receipt.sku,
                    "quantity": receipt.quantity,
                    "expected_at": receipt.expected_at,
                }
            )
        else:
            gone.append(receipt.id)
    await _change(conn, changes)
    if gone:
        await conn.execute(delete(expected_receipts).where(_receipt.id.in_(gone)))
    if kept:
        statement = upsert(expected_receipts)
        changed = {name: statement.excluded[name] for name in ("location_id", "sku", "quantity", "expected_at")}
        await conn.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changed), kept)


async def _change(conn: AsyncConnection, changes: Mapping[Key, int]) -> None:
    rows = [
        {"location_id": location, "sku": sku, "future": change} for (location, sku), change in sorted(changes.items())
    ]
    if not rows:
        return
    for statement in (_ENSURE_STOCK, _CHANGE_STOCK, _ENSURE_GROUPS, _CHANGE_GROUPS):
        await conn.execute(statement, {"shelves": rows})
