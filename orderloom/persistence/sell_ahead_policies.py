"""The policies that say what may be sold ahead, and what became of them."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.model import Frozen
from orderloom.domain.sell_ahead import SellAhead, SellAheadKey, SellAheadPolicy
from orderloom.persistence.sell_ahead import EVERY
from orderloom.persistence.tables.catalog import channels, products, sell_ahead, sell_ahead_changes

_policy = sell_ahead.c
_change = sell_ahead_changes.c
# Whoever places an order reads on; who changes policies waits, so that each change tells what was before it.
_ONE_BY_ONE = text("LOCK TABLE sell_ahead IN SHARE ROW EXCLUSIVE MODE")


class Said(Frozen):
    """Who changes policies, why and when."""

    by: str
    reason: str
    at: datetime


class SellAheadChange(SellAheadKey):
    """What a policy was and became."""

    number: int
    before: SellAhead | None
    """None: there was none."""
    after: SellAhead | None
    """None: it was removed."""
    by: str
    reason: str
    at: datetime


async def set_policies(conn: AsyncConnection, given: Iterable[SellAheadPolicy], said: Said) -> list[SellAheadChange]:
    """Put policies in force instead of those of the same channel and SKU; return what that changed, in their order."""
    return await _put(conn, {policy.key: policy.terms for policy in given}, said)


async def remove_policies(conn: AsyncConnection, keys: Iterable[SellAheadKey], said: Said) -> list[SellAheadChange]:
    """Take policies out of force, so that the next wider one counts; return what that changed."""
    return await _put(conn, dict.fromkeys(keys), said)


async def policies_of(conn: AsyncConnection, keys: Iterable[SellAheadKey]) -> dict[SellAheadKey, SellAhead]:
    """Return the policies that there are of *keys*."""
    rows = await conn.execute(select(sell_ahead).where(tuple_(_policy.channel_id, _policy.sku).in_(map(_pair, keys))))
    return {key_of(row): SellAhead.model_validate(row.policy) for row in rows}


async def unknown_names(conn: AsyncConnection, keys: Iterable[SellAheadKey]) -> tuple[set[str], set[str]]:
    """Return which channels and which SKUs that *keys* name are not set up."""
    named = list(keys)
    of_channels = {key.channel for key in named if key.channel is not None}
    skus = {key.sku for key in named if key.sku is not None}
    known_channels = await conn.scalars(select(channels.c.id).where(channels.c.id.in_(of_channels)))
    known_skus = await conn.scalars(select(products.c.sku).where(products.c.sku.in_(skus)))
    return of_channels - set(known_channels), skus - set(known_skus)


def key_of(row: Any) -> SellAheadKey:
    """Return what a row is of."""
    return SellAheadKey(channel=row.channel_id or None, sku=row.sku or None)


def change_of(row: Any) -> SellAheadChange:
    """Return the change that a row tells."""
    key = key_of(row)
    return SellAheadChange(
        number=row.number,
        channel=key.channel,
        sku=key.sku,
        before=None if row.before is None else SellAhead.model_validate(row.before),
        after=None if row.after is None else SellAhead.model_validate(row.after),
        by=row.by,
        reason=row.reason,
        at=row.at,
    )


async def _put(
    conn: AsyncConnection, wanted: Mapping[SellAheadKey, SellAhead | None], said: Said
) -> list[SellAheadChange]:
    await conn.execute(_ONE_BY_ONE)
    before = await policies_of(conn, wanted)
    changed = {key: after for key, after in wanted.items() if before.get(key) != after}
    if not changed:
        return []
    gone = [_pair(key) for key, after in changed.items() if after is None]
    if gone:
        await conn.execute(delete(sell_ahead).where(tuple_(_policy.channel_id, _policy.sku).in_(gone)))
    rows = [_row(key) | {"policy": _told(after)} for key, after in changed.items() if after is not None]
    if rows:
        statement = upsert(sell_ahead)
        policy = {"policy": statement.excluded.policy}
        await conn.execute(statement.on_conflict_do_update(index_elements=["channel_id", "sku"], set_=policy), rows)
    made = said.model_dump()
    changes = [
        _row(key) | {"before": _told(before.get(key)), "after": _told(after), **made} for key, after in changed.items()
    ]
    entered = await conn.execute(insert(sell_ahead_changes).values(changes).returning(sell_ahead_changes))
    return sorted((change_of(row) for row in entered), key=lambda change: change.number)


def _pair(key: SellAheadKey) -> tuple[str, str]:
    return key.channel or EVERY, key.sku or EVERY


def _row(key: SellAheadKey) -> dict[str, Any]:
    channel, sku = _pair(key)
    return {"channel_id": channel, "sku": sku}


def _told(policy: SellAhead | None) -> dict[str, Any] | None:
    return None if policy is None else policy.model_dump(mode="json")
