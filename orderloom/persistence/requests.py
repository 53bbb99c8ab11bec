"""Changes of stock that are asked for by key: done once, and answered alike however often they are asked for."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orderloom.domain.model import Frozen, JsonObject
from orderloom.persistence.conflicts import tried
from orderloom.persistence.digest import digest
from orderloom.persistence.intake import IdempotencyKeyReused
from orderloom.persistence.tables.inventory import inventory_requests
from orderloom.persistence.transactions import Transaction

_request = inventory_requests.c


class Asked(Frozen):
    """A change of stock that somebody asks for."""

    key: str
    """The idempotency key: the same one again is the same request."""
    kind: str
    body: JsonObject
    now: datetime


class Answered(Frozen):
    """What was answered, and whether this was asked before."""

    body: JsonObject
    replayed: bool = False


type Work = Callable[[AsyncConnection], Awaitable[JsonObject]]
"""Does what is asked for in a transaction, and returns the answer."""


async def once(engine: AsyncEngine, asked: Asked, work: Work) -> Answered:
    """
    Do *work* in one transaction with the record that it was asked for; asked again, return the first answer.

    A transaction that was broken off in favour of another one is tried again: *work* must begin anew each time.

    Raises:
        IdempotencyKeyReused: the key came with another request.
    """
    return await tried(partial(_once, engine, asked, work))


async def _once(engine: AsyncEngine, asked: Asked, work: Work) -> Answered:
    fingerprint = digest({"kind": asked.kind, "body": asked.body})
    async with Transaction(engine) as conn:
        row = {"key": asked.key, "fingerprint": fingerprint, "at": asked.now}
        entered = await conn.execute(insert(inventory_requests).values(row).on_conflict_do_nothing())
        if not entered.rowcount:
            query = select(_request.fingerprint, _request.answer).where(_request.key == asked.key)
            before = (await conn.execute(query)).one()
            if bytes(before.fingerprint) != fingerprint:
                detail = f"idempotency key {asked.key!r} came with another request before"
                raise IdempotencyKeyReused(detail, key=asked.key)
            return Answered(body=before.answer, replayed=True)
        answer = await work(conn)
        await conn.execute(update(inventory_requests).where(_request.key == asked.key).values(answer=answer))
        return Answered(body=answer)
