"""Which release is in force for a channel's new orders, and which were before: who put them there, when, and why."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.errors import NotFound, OrderloomError
from orderloom.persistence.tables.catalog import activations, channels, releases

type Kind = Literal["publish", "activate", "rollback", "load"]

_table = activations.c


class NothingBefore(OrderloomError):
    """No release was in force before this one.

    `orderloom flows releases list` shows what was; `activate` puts any release in force.
    """

    code = "release.nothing_before"
    status = 409


class ReleaseAmbiguous(OrderloomError):
    """Several releases begin like this.

    Give more characters of the release's hash.
    """

    code = "release.ambiguous"
    status = 409


async def activate(  # noqa: PLR0917  # in the order in which one says it
    conn: AsyncConnection, channel: str, release: str, kind: Kind, by: str, reason: str, now: datetime
) -> bool:
    """
    Put *release* in force for the next orders of *channel*; False when it is already. Orders placed before keep theirs.

    Raises:
        NotFound: there is no such channel.
    """
    previous = await _lock(conn, channel)
    if previous == release:
        return False
    await conn.execute(update(channels).where(channels.c.id == channel).values(release=release))
    await enter(conn, channel, release, previous, kind, by, reason, now)
    return True


async def rollback(conn: AsyncConnection, channel: str, by: str, reason: str, now: datetime) -> str:
    """
    Take back the latest step forward of *channel* that is not taken back yet, and return what is in force then.

    Raises:
        NotFound: there is no such channel.
        NothingBefore: the current release was the first.
    """
    current = await _lock(conn, channel)
    steps: list[str] = []
    for row in await conn.execute(select(activations).where(_table.channel_id == channel).order_by(_table.number)):
        if row.kind == "rollback":
            steps.pop()
            continue
        if not steps and row.previous is not None:
            steps.append(row.previous)
        steps.append(row.release)
    if len(steps) < 2:  # the current one and one before
        raise NothingBefore(f"Channel {channel} had no other release in force before.", channel=channel)
    before = steps[-2]
    await conn.execute(update(channels).where(channels.c.id == channel).values(release=before))
    await enter(conn, channel, before, current, "rollback", by, reason, now)
    return before


async def enter(  # noqa: PLR0917
    conn: AsyncConnection,
    channel: str,
    release: str,
    previous: str | None,
    kind: Kind,
    by: str,
    reason: str,
    now: datetime,
) -> None:
    """Add to the history of *channel*, whose row is locked."""
    number = select(func.coalesce(func.max(_table.number), 0) + 1).where(_table.channel_id == channel)
    row = {"kind": kind, "release": release, "previous": previous, "by": by, "reason": reason, "at": now}
    await conn.execute(insert(activations).values(channel_id=channel, number=number.scalar_subquery(), **row))


async def enter_loaded(conn: AsyncConnection, loaded: Sequence[tuple[str, str]]) -> None:
    """Add what a world has put in force, by channel, where it is not what the history of the channel ends with."""
    for channel, release in loaded:
        await _lock(conn, channel)
        last = select(_table.release).where(_table.channel_id == channel).order_by(_table.number.desc()).limit(1)
        previous = await conn.scalar(last)
        if previous != release:
            published = select(releases.c.published_at).where(releases.c.hash == release)
            at = (await conn.execute(published)).scalar_one()
            await enter(conn, channel, release, previous, "load", "world", "loaded with the channel", at)


async def _lock(conn: AsyncConnection, channel: str) -> str | None:
    query = select(channels.c.release).where(channels.c.id == channel).with_for_update()
    row = (await conn.execute(query)).one_or_none()
    if row is None:
        raise NotFound(f"There is no channel {channel}.", channel=channel)
    return row.release
