"""Routing policies: published for ever, and put in force for the next orders of a channel."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Row, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.errors import NotFound, OrderloomError
from orderloom.domain.model import JsonObject
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.persistence.tables.catalog import channels, policy_activations, routing_policies

_policies = routing_policies.c
_history = policy_activations.c


class PolicyUnknown(NotFound):
    """There is no such routing policy.

    `orderloom policies list` shows those that are published.
    """

    code = "policy.unknown"


class PolicyPublished(OrderloomError):
    """This version of the routing policy is published with other content.

    What is published never changes: give it a new version.
    """

    code = "policy.published"
    status = 409


BUILT_IN = RoutingPolicy()
"""The policy of channels that have none; it can be meant without being published."""
_BUILT_IN_TEXT = f"name: {BUILT_IN.name}\nversion: {BUILT_IN.version}\n"


async def publish_policy(conn: AsyncConnection, policy: RoutingPolicy, text: str, now: datetime) -> bool:
    """
    Keep *policy* as its author wrote it; False when it is kept already, by whoever published it at the same time.

    Raises:
        PolicyPublished: the version is taken by other content.
    """
    row = {"name": policy.name, "version": policy.version, "document": policy.model_dump(mode="json"), "text": text}
    kept = upsert(routing_policies).values(**row, published_at=now).on_conflict_do_nothing().returning(_policies.name)
    if await conn.scalar(kept) is not None:
        return True
    # Compared by what it means: a key that the language has had only since then is at its default in both.
    if await policy_named(conn, policy.label) != policy:
        raise PolicyPublished(f"{policy.label} is published already, and says something else.", policy=policy.label)
    return False


async def activate_policy(  # noqa: PLR0917  # in the order in which one says it
    conn: AsyncConnection, channel: str, name: str, by: str, reason: str, now: datetime
) -> RoutingPolicy | None:
    """
    Put a published policy, or the built-in one, in force for the next orders of *channel*; None when it is already.

    What has been in force by an activation is published: the built-in policy, too, from then on.

    Args:
        name: the policy's name, which means its highest version, or ``name:version``.

    Raises:
        PolicyUnknown: it is not published.
        NotFound: there is no such channel.
    """
    query = select(channels.c.policy["routing"]).where(channels.c.id == channel).with_for_update()
    row = (await conn.execute(query)).one_or_none()
    if row is None:
        raise NotFound(f"There is no channel {channel}.", channel=channel)
    before = RoutingPolicy.model_validate(row[0] or {})
    policy = await policy_named(conn, name)
    if policy == before:
        return None
    if policy == BUILT_IN:
        await publish_policy(conn, BUILT_IN, _BUILT_IN_TEXT, now)  # the history names published policies alone
    changed = channels.c.policy.op("||")(literal({"routing": policy.model_dump(mode="json")}, JSONB))
    await conn.execute(update(channels).where(channels.c.id == channel).values(policy=changed))
    number = select(func.coalesce(func.max(_history.number), 0) + 1).where(_history.channel_id == channel)
    entry = {"name": policy.name, "version": policy.version, "previous": before.label, "by": by, "reason": reason}
    await conn.execute(
        insert(policy_activations).values(channel_id=channel, number=number.scalar_subquery(), at=now, **entry)
    )
    return policy


async def policy_named(conn: AsyncConnection, name: str) -> RoutingPolicy:
    """
    Return the published policy ``name:version``, or the highest version of ``name``.

    The built-in policy needs no publishing; one that is published under its label takes its place.

    Raises:
        PolicyUnknown: it is not published.
    """
    try:
        return RoutingPolicy.model_validate((await _row(conn, name)).document)
    except PolicyUnknown:
        if _is_built_in(name):
            return BUILT_IN
        raise


async def text_of(conn: AsyncConnection, name: str) -> str:
    """
    Return a policy as its author wrote it; the built-in one needs no publishing.

    Raises:
        PolicyUnknown: it is not published.
    """
    try:
        return str((await _row(conn, name)).text)
    except PolicyUnknown:
        if _is_built_in(name):
            return _BUILT_IN_TEXT
        raise


async def _row(conn: AsyncConnection, name: str) -> Row[str, str, JsonObject, str, datetime]:
    name, colon, version = name.partition(":")
    where = _is(name, version) if colon else (_policies.name == name,)
    rows: Sequence[Row[str, str, JsonObject, str, datetime]] = (
        await conn.execute(select(routing_policies).where(*where))
    ).all()
    if not rows:
        raise PolicyUnknown(f"There is no routing policy {name}{colon}{version}.", policy=f"{name}{colon}{version}")
    return max(rows, key=lambda row: _numbers(row.version))


def _is_built_in(name: str) -> bool:
    return name in {BUILT_IN.name, BUILT_IN.label}


def _is(name: str, version: str) -> tuple[ColumnElement[bool], ...]:
    return _policies.name == name, _policies.version == version


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
