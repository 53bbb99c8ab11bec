"""Routing policies that can be put in force, and the channels where each is: those published, and the built-in one."""

from typing import Any

from pydantic import AwareDatetime
from sqlalchemy import CompoundSelect, Row, Select, Text, cast, func, literal, null, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import Integer

from orderloom.domain.model import Frozen
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.persistence.policies import BUILT_IN, policy_named, text_of
from orderloom.persistence.tables.base import Instant
from orderloom.persistence.tables.catalog import channels, routing_policies

_policies = routing_policies.c


class PublishedPolicy(Frozen):
    """A routing policy that can be put in force."""

    name: str
    version: str
    hash: str
    """Of what it says beyond the defaults."""
    published_at: AwareDatetime | None
    """None: it is built in, and was not published."""
    channels: tuple[str, ...]
    """Where it is in force for new orders."""


class PolicyView(PublishedPolicy):
    """A routing policy, and what it says."""

    policy: RoutingPolicy
    """With every default written out."""
    text: str
    """As its author wrote it."""


async def policies_page(
    conn: AsyncConnection,
    *,
    name: str | None = None,
    after: tuple[str, str] | None = None,
    limit: int | None = None,
) -> list[PublishedPolicy]:
    """
    Return at most *limit* policies by name, the highest version of each first.

    Args:
        conn: a connection that reads.
        name: only versions of this one.
        after: name and version of the last one seen.
        limit: None is all of them.
    """
    known = _known().subquery()
    query = select(known).order_by(known.c.name, known.c.numbers.desc(), known.c.version).limit(limit)
    if name is not None:
        query = query.where(known.c.name == name)
    if after is not None:
        seen, version = after
        numbers = _numbers(literal(version, Text))
        same_numbers = (known.c.numbers == numbers) & (known.c.version > version)  # such as 1.0.0 and 01.0.0
        behind = (known.c.name == seen) & ((known.c.numbers < numbers) | same_numbers)
        query = query.where((known.c.name > seen) | behind)
    rows = (await conn.execute(query)).all()
    in_force = await _in_force(conn)
    return [_published(row, in_force) for row in rows]


async def policy_view(conn: AsyncConnection, name: str) -> PolicyView:
    """
    Return the policy ``name:version``, or the highest version of ``name``.

    Raises:
        PolicyUnknown: there is none.
    """
    policy = await policy_named(conn, name)
    query = select(_policies.published_at).where(_policies.name == policy.name, _policies.version == policy.version)
    return PolicyView(
        name=policy.name,
        version=policy.version,
        hash=policy.hash,
        published_at=await conn.scalar(query),
        channels=tuple((await _in_force(conn)).get(policy.label, ())),
        policy=policy,
        text=await text_of(conn, policy.label),
    )


def _known() -> CompoundSelect[*tuple[Any, ...]]:
    """Return those that are published and, unless it is, the built-in one."""
    numbers = _numbers(_policies.version).label("numbers")
    published = select(_policies.name, _policies.version, _policies.document, _policies.published_at, numbers)
    label = (_policies.name == BUILT_IN.name) & (_policies.version == BUILT_IN.version)
    built_in: Select[*tuple[Any, ...]] = select(
        literal(BUILT_IN.name, Text).label("name"),
        literal(BUILT_IN.version, Text).label("version"),
        literal(BUILT_IN.model_dump(mode="json"), JSONB).label("document"),
        cast(null(), Instant).label("published_at"),
        _numbers(literal(BUILT_IN.version, Text)).label("numbers"),
    ).where(~select(_policies.name).where(label).exists())
    return published.union_all(built_in)


def _numbers(version: Any) -> Any:
    return cast(func.string_to_array(version, "."), ARRAY(Integer))


async def _in_force(conn: AsyncConnection) -> dict[str, list[str]]:
    """Return by policy (``name:version``) the channels where it is in force."""
    found: dict[str, list[str]] = {}
    for row in await conn.execute(select(channels.c.id, channels.c.policy["routing"]).order_by(channels.c.id)):
        found.setdefault(RoutingPolicy.model_validate(row[1] or {}).label, []).append(row[0])
    return found


def _published(row: Row[*tuple[Any, ...]], in_force: dict[str, list[str]]) -> PublishedPolicy:
    return PublishedPolicy(
        name=row.name,
        version=row.version,
        hash=RoutingPolicy.model_validate(row.document).hash,
        published_at=row.published_at,
        channels=tuple(in_force.get(f"{row.name}:{row.version}", ())),
    )
