"""Routing policies that are published: what never changes, and what is in force for a channel."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orderloom.domain.channel import ChannelPolicy
from orderloom.domain.errors import NotFound
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.persistence.policies import (
    PolicyPublished,
    PolicyUnknown,
    activate_policy,
    policy_named,
    publish_policy,
    published_policies,
    text_of,
)
from orderloom.persistence.tables.catalog import channels, policy_activations
from orderloom.persistence.world import Channel, World, load_world

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def near(version: str, splits: int = 1) -> RoutingPolicy:
    """Return a version of one policy."""
    return RoutingPolicy(name="near", version=version, max_splits=splits)


async def in_force(conn: AsyncConnection) -> ChannelPolicy:
    """Return the settings that the next order of the channel keeps."""
    return ChannelPolicy.model_validate(await conn.scalar(select(channels.c.policy).where(channels.c.id == "web")))


async def test_a_version_has_one_content(engine: AsyncEngine) -> None:
    """The same again is no new one; other content under its version is refused, and leaves what was published."""
    async with engine.begin() as conn:
        first = await publish_policy(conn, near("1.0.0"), "as written", NOW)
        again = await publish_policy(conn, near("1.0.0"), "written otherwise", NOW + timedelta(days=1))
        with pytest.raises(PolicyPublished):
            await publish_policy(conn, near("1.0.0", splits=2), "other", NOW)
        kept, text, listed = (
            await policy_named(conn, "near:1.0.0"),
            await text_of(conn, "near"),
            await published_policies(conn),
        )

    assert (first, again) == (True, False)
    assert (kept, text) == (near("1.0.0"), "as written")
    assert [(one.name, one.version, one.published_at, one.channels) for one in listed] == [("near", "1.0.0", NOW, ())]


async def test_a_name_alone_means_the_highest_version(engine: AsyncEngine) -> None:
    """Versions are compared by number, not by letter; what is not published is unknown."""
    async with engine.begin() as conn:
        for version in ("1.10.0", "1.9.0"):
            await publish_policy(conn, near(version), version, NOW)
        listed = await published_policies(conn)

        assert (await policy_named(conn, "near")).version == "1.10.0"
        assert [one.version for one in listed] == ["1.10.0", "1.9.0"]
        for unknown in ("near:1.8.0", "far"):
            with pytest.raises(PolicyUnknown):
                await policy_named(conn, unknown)


async def test_activating_changes_routing_alone_and_is_remembered(engine: AsyncEngine) -> None:
    """The channel keeps its other settings; the same again, an unknown policy or channel changes nothing."""
    before = ChannelPolicy(currency="EUR", location_group="all", remorse=60.0)
    async with engine.begin() as conn:
        await load_world(conn, World(channels=[Channel(id="web", policy=before)]))
        for version in ("1.0.0", "1.1.0"):
            await publish_policy(conn, near(version), version, NOW)
        done = [
            await activate_policy(conn, "web", name, "ada", f"say {name}", NOW)
            for name in ("near:1.1.0", "near", "near:1.0.0")
        ]
        with pytest.raises(PolicyUnknown):
            await activate_policy(conn, "web", "far", "ada", "", NOW)
        with pytest.raises(NotFound):
            await activate_policy(conn, "moon", "near", "ada", "", NOW)
        rows = (await conn.execute(select(policy_activations).order_by(policy_activations.c.number))).all()
        after, listed = await in_force(conn), await published_policies(conn)

    assert done == [near("1.1.0"), None, near("1.0.0")]
    assert after == before.model_copy(update={"routing": near("1.0.0")})
    assert [(row.number, row.version, row.previous, row.by, row.reason) for row in rows] == [
        (1, "1.1.0", "default:1.0.0", "ada", "say near:1.1.0"),
        (2, "1.0.0", "near:1.1.0", "ada", "say near:1.0.0"),
    ]
    assert [(one.version, one.channels) for one in listed] == [("1.1.0", ()), ("1.0.0", ("web",))]
