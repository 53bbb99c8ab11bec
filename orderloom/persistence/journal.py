"""The order's row, locked by the first statement of every transaction, and its journal."""

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from sqlalchemy import ARRAY, Boolean, DateTime, Executable, Row, Text, bindparam, column, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.contracts.messages import Event
from orderloom.domain.model import JsonObject
from orderloom.persistence.standing import STANDING, STANDING_COLUMNS, Standing
from orderloom.persistence.tables.orders import idempotency, orders
from orderloom.persistence.writes import at_most

_LOCK = """
    SELECT o.id, o.channel_id, o.external_id, o.currency, o.life_cycle, o.ship_complete, o.person_id, o.policy,
           o.placed_at, o.pin, o.seq, o.wanted, o.routing_attempts, o.priority, o.closed_at, i.input_hash, i.answer,
           o.xmin <> (SELECT seen.xmin FROM orders seen WHERE seen.id = o.id) AS waited {more}
    FROM {asked} LEFT JOIN idempotency i ON i.order_id = o.id AND i.key = {key}
    {lock}
"""
# Rows that refer to the order, such as a proposal, may be entered meanwhile: who offers stock never waits for an order
# that waits for its counters.
_ONE = {"asked": "orders o", "key": ":key", "lock": "WHERE o.id = :order_id FOR NO KEY UPDATE OF o"}
_MANY = {
    "asked": """(SELECT * FROM jsonb_to_recordset(:calls) AS c(order_id text, key text) LIMIT {limit}) c
        JOIN orders o ON o.id = c.order_id""",
    "key": "c.key",
    "lock": "FOR NO KEY UPDATE OF o SKIP LOCKED",
}
_LOCKED = (
    *(
        orders.c[name]
        for name in (
            "id",
            "channel_id",
            "external_id",
            "currency",
            "life_cycle",
            "ship_complete",
            "person_id",
            "policy",
            "placed_at",
            "pin",
            "seq",
            "wanted",
            "routing_attempts",
            "priority",
            "closed_at",
        )
    ),
    idempotency.c.input_hash,
    idempotency.c.answer,
    column("waited", Boolean),
)
"""In the order of the statement: SQLAlchemy then need not work out anew at every execution which column is which."""
_LOCK_ONLY = text(_LOCK.format(more="", **_ONE)).columns(*_LOCKED)
_SUMS = f", {STANDING.format(order='o.id')}"
_LOCK_AND_SUM = text(_LOCK.format(more=_SUMS, **_ONE)).columns(*_LOCKED, *STANDING_COLUMNS)

_REMEMBERED = select(idempotency.c.input_hash, idempotency.c.answer).where(
    idempotency.c.order_id == bindparam("order_id"), idempotency.c.key == bindparam("key")
)


class Locked:
    """An order's row under lock, and what was answered before to the same key (None: nothing)."""

    def __init__(
        self,
        row: Row[*tuple[Any, ...]],
        input_hash: bytes | None,
        answer: JsonObject | None,
        standing: Standing | None = None,
    ) -> None:
        self.row = row
        self.input_hash = input_hash
        self.answer = answer
        self.standing = standing
        """None: it is to be read when it is needed."""


async def lock(conn: AsyncConnection, order_id: str, key: str, *, summed: bool) -> Locked | None:
    """
    Lock an order's row and look its idempotency key up; None when there is no such order.

    With *summed* the order's sums come along, unless the statement had to wait.

    A statement that had to wait for the lock sees the new row of the order but, by the rules of READ COMMITTED, the
    other tables as they were before it waited: only then the key is looked up again. Every transaction changes the
    order's row, so a changed row is the sign of having waited.
    """
    statement = _LOCK_AND_SUM if summed else _LOCK_ONLY
    row = (await conn.execute(statement, {"order_id": order_id, "key": key})).one_or_none()
    if row is None:
        return None
    if not row.waited or row.answer is not None:
        standing = Standing(row) if summed and not row.waited else None
        return Locked(row, row.input_hash, row.answer, standing)
    remembered = (await conn.execute(_REMEMBERED, {"order_id": order_id, "key": key})).one_or_none()
    if remembered is None:
        return Locked(row, None, None)
    return Locked(row, remembered.input_hash, remembered.answer)


@cache
def _lock_many(limit: int) -> Executable:
    statement = _LOCK.format(more=_SUMS, **_MANY).format(limit=limit)
    return text(statement).bindparams(bindparam("calls", type_=JSONB)).columns(*_LOCKED, *STANDING_COLUMNS)


async def lock_free(conn: AsyncConnection, keys: Mapping[str, str]) -> dict[str, Locked]:
    """
    Lock those of several orders that nobody else holds, each with its idempotency key, its sums, and what was answered.

    It waits for no order. One that another transaction holds, or changed while the statement ran, is left out, and so
    is one that is not there: ``lock`` tells more.
    """
    calls = [{"order_id": order, "key": key} for order, key in keys.items()]
    rows = await conn.execute(_lock_many(at_most(len(calls))), {"calls": calls})
    return {row.id: Locked(row, row.input_hash, row.answer, Standing(row)) for row in rows if not row.waited}


_FINISHED = text(
    """
    UPDATE flow_instances i SET status = f.outcome
    FROM jsonb_to_recordset(:finished) AS f(instance text, outcome text)
    WHERE i.order_id = :order_id AND i.instance = f.instance
    """
).bindparams(bindparam("finished", type_=JSONB))


async def mark_finished(conn: AsyncConnection, order_id: str, finished: list[JsonObject]) -> None:
    """Note how flow instances of an order ended."""
    await conn.execute(_FINISHED, {"order_id": order_id, "finished": finished})


_EVENTS = text(
    """
    SELECT j.seq, j.id, j.source, j.type, j.time, j.data
    FROM journal j
    WHERE j.order_id = :order_id AND j.seq BETWEEN :first AND :last
        AND (EXISTS (SELECT 1 FROM flow_instances i
                     WHERE i.order_id = j.order_id AND i.seq = j.seq AND i.status IN ('running', 'faulted'))
             OR NOT EXISTS (SELECT 1 FROM flow_instances i WHERE i.order_id = j.order_id AND i.seq = j.seq))
    ORDER BY j.seq
    """
).columns(data=JSONB, time=DateTime(timezone=True))


async def read_events_again(conn: AsyncConnection, order_id: str, first: int, last: int) -> list[Event]:
    """
    Return the order's events numbered *first* to *last*, in sequence, without those whose flows have all ended.

    For answering again what was answered before: flows that ended must not start a second time.
    """
    rows = await conn.execute(_EVENTS, {"order_id": order_id, "first": first, "last": last})
    return [Event.model_validate(row) for row in rows.mappings()]


_JOURNALED = text(
    """
    SELECT seq, id, source, type, time, data FROM journal
    WHERE order_id = :order_id AND seq > :after AND seq <= :until AND type = ANY(:types) ORDER BY seq
    """
).bindparams(bindparam("types", type_=ARRAY(Text)))


async def read_events_of(
    conn: AsyncConnection, order_id: str, types: Collection[str], *, after: int, until: int
) -> list[Event]:
    """Return the events of *types* behind number *after* in the order's journal, up to *until*, in sequence."""
    values = {"order_id": order_id, "types": sorted(types), "after": after, "until": until}
    return [Event.model_validate(row) for row in (await conn.execute(_JOURNALED, values)).mappings()]
