"""The order's row, locked by the first statement of every transaction, and its journal."""

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, JSON, BigInteger, Boolean, DateTime, Executable, Row, Text, bindparam, column, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.contracts.messages import Event
from orderloom.domain.model import JsonObject
from orderloom.persistence.books import ALL_COLUMNS, Books, columns
from orderloom.persistence.tables.orders import idempotency, orders
from orderloom.persistence.writes import at_most

_LOCK = """
    SELECT o.id, o.channel_id, o.external_id, o.currency, o.life_cycle, o.ship_complete, o.person_id, o.policy,
           o.placed_at, o.pin, o.seq, o.wanted, o.routing_attempts, o.priority, o.closed_at, i.input_hash, i.answer,
           o.xmin <> (SELECT seen.xmin FROM orders seen WHERE seen.id = o.id) AS waited,
           (SELECT json_agg(json_build_object('seq', j.seq, 'id', j.id, 'source', j.source, 'type', j.type,
                                              'time', j.time, 'data', j.data) ORDER BY j.seq)
            FROM journal j WHERE j.order_id = o.id AND j.seq > {after} AND j.type = ANY({types})) AS missed,
           {books}
    FROM {asked} LEFT JOIN idempotency i ON i.order_id = o.id AND i.key = {key}
    {lock}
"""
# Rows that refer to the order, such as a proposal, may be entered meanwhile: who offers stock never waits for an order
# that waits for its counters.
_ONE = {
    "asked": "orders o",
    "key": ":key",
    "after": ":after",
    "types": ":types",
    "lock": "WHERE o.id = :order_id FOR NO KEY UPDATE OF o",
}
_MANY = {
    "asked": """(SELECT * FROM jsonb_to_recordset(:calls) AS c(order_id text, key text, after bigint, types text[])
               LIMIT {limit}) c
        JOIN orders o ON o.id = c.order_id""",
    "key": "c.key",
    "after": "c.after",
    "types": "c.types",
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
    column("missed", JSON),
)
"""In the order of the statement: SQLAlchemy then need not work out anew at every execution which column is which."""
LOCKED_COLUMNS = (*_LOCKED, *ALL_COLUMNS)
"""What ``LOCK`` answers, for ``Locked``."""
_BOOKS = columns("o.id")
LOCK = _LOCK.format(books=_BOOKS, **_ONE)
"""Locks an order and reads what goes with it; of ``asked``."""
PARAMETERS = (bindparam("after", type_=BigInteger), bindparam("types", type_=ARRAY(Text)))
"""Those of ``LOCK`` whose types must be told."""
_LOCK_ONE = text(LOCK).bindparams(*PARAMETERS).columns(*LOCKED_COLUMNS)


class Heard(NamedTuple):
    """What a workflow has heard of the journal: all up to a number (None: it does not say), of the types it wants."""

    after: int | None = None
    types: Collection[str] = ()


NOTHING = Heard()


def asked(order_id: str, key: str, heard: Heard) -> dict[str, Any]:
    """Return the values of ``LOCK``: the order, the key whose answer is looked up, and what somebody has heard."""
    return {"order_id": order_id, "key": key, "after": heard.after, "types": sorted(heard.types)}


class Locked:
    """
    An order's row under lock, and its books.

    With it come what was answered before to the same key (None: nothing), and the events that who asks has missed.
    """

    def __init__(self, row: Row[*tuple[Any, ...]]) -> None:
        """Take a row of a statement that locks."""
        self.row = row
        self.input_hash: bytes | None = row.input_hash
        self.answer: JsonObject | None = row.answer
        self.missed = [Event.model_validate(event) for event in row.missed or ()]
        self.books = Books.of_row(row)


async def lock(conn: AsyncConnection, order_id: str, key: str, heard: Heard = NOTHING) -> Locked | None:
    """
    Lock an order's row, look its idempotency key up and read its books; None when there is no such order.

    A statement that had to wait for the lock sees the new row of the order but, by the rules of READ COMMITTED, the
    other tables as they were before it waited: only then it is run again. Every transaction changes the order's row,
    so a changed row is the sign of having waited.
    """
    values = asked(order_id, key, heard)
    row = (await conn.execute(_LOCK_ONE, values)).one_or_none()
    if row is not None and row.waited:
        row = (await conn.execute(_LOCK_ONE, values)).one()
    return None if row is None else Locked(row)


@cache
def _lock_many(limit: int) -> Executable:
    statement = _LOCK.format(books=_BOOKS, **_MANY).format(limit=limit)
    return text(statement).bindparams(bindparam("calls", type_=JSONB)).columns(*LOCKED_COLUMNS)


async def lock_free(conn: AsyncConnection, keys: Mapping[str, tuple[str, Heard]]) -> dict[str, Locked]:
    """
    Lock those of several orders that nobody else holds, each with its idempotency key, its answer, and its books.

    It waits for no order. One that another transaction holds, or changed while the statement ran, is left out, and so
    is one that is not there: ``lock`` tells more.
    """
    calls = [asked(order, key, heard) for order, (key, heard) in keys.items()]
    rows = await conn.execute(_lock_many(at_most(len(calls))), {"calls": calls})
    return {row.id: Locked(row) for row in rows if not row.waited}


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
