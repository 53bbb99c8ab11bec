"""Routing policies that are published: what never changes, and what is in force for a channel."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from flows_dsl.policies import read_policy
from orderloom.domain.channel import ChannelPolicy
from orderloom.domain.errors import NotFound
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.persistence.policies import (
    PolicyPublished,
    PolicyUnknown,
    activate_policy,
    policy_named,
    publish_policy,
    text_of,
)
from orderloom.persistence.tables.catalog import channels, policy_activations
from orderloom.persistence.world import Channel, World, load_world
from orderloom.readmodels.routing_policies import PublishedPolicy, policies_page
from tests.integration.conftest import Bench

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def near(version: str, splits: int = 1) -> RoutingPolicy:
    """Return a version of one policy."""
    return RoutingPolicy(name="near", version=version, max_splits=splits)


async def published_policies(conn: AsyncConnection) -> list[PublishedPolicy]:
    """Return the list of policies without the built-in one, unless that was published."""
    return [one for one in await policies_page(conn) if one.published_at is not None]


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


async def _published_at_once(engine: AsyncEngine, first: RoutingPolicy, second: RoutingPolicy) -> bool:
    """Publish *second* while *first* is published but not committed; return whether it was new."""

    async def publish() -> bool:
        async with engine.begin() as conn:
            told.set_result(await conn.scalar(text("SELECT pg_backend_pid()")))
            return await publish_policy(conn, second, "second", NOW)

    told: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with asyncio.timeout(20), engine.connect() as looking:
        async with engine.begin() as conn:
            await publish_policy(conn, first, "first", NOW)
            later = asyncio.create_task(publish())
            waits = {"pid": await told}
            while not await looking.scalar(_WAITS, waits):
                pass
        return await later


_WAITS = text("SELECT cardinality(pg_blocking_pids(:pid)) > 0")


async def test_two_who_publish_at_once_publish_once(engine: AsyncEngine) -> None:
    """The second of two waits for the first; the same content is published already, other content is refused."""
    same = await _published_at_once(engine, near("1.0.0"), near("1.0.0"))
    with pytest.raises(PolicyPublished):
        await _published_at_once(engine, near("1.1.0"), near("1.1.0", splits=2))

    assert same is False
    async with engine.connect() as conn:
        assert await policy_named(conn, "near:1.1.0") == near("1.1.0")
        assert await text_of(conn, "near:1.0.0") == "first"


async def test_a_rule_that_the_language_gains_leaves_what_is_published_as_it_was(engine: AsyncEngine) -> None:
    """A policy from before a key was known is published already, with the same hash, when its file is given again."""
    async with engine.begin() as conn:
        await publish_policy(conn, near("1.0.0"), "as written", NOW)
        [before] = await published_policies(conn)
        await conn.execute(text("UPDATE routing_policies SET document = document - 'partial' - 'rejections_half_life'"))
        again = await publish_policy(conn, near("1.0.0"), "as written", NOW)
        [after] = await published_policies(conn)

    assert again is False
    assert after.hash == before.hash == near("1.0.0").hash


async def test_an_attempt_keeps_the_hash_of_its_policy(bench: Bench) -> None:
    """Two policies may be called the same, one in a world file and one published: attempts tell them apart."""
    policy = near("1.0.0", splits=3)
    await bench.load({"A": {"X": 10}}, routing=policy.model_dump(mode="json"))
    await bench.allocated({"X": 1})

    assert await bench.rows("SELECT policy, policy_hash FROM routing_attempts") == [("near:1.0.0", policy.hash)]
    assert policy.hash != near("1.0.0", splits=2).hash


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
        await load_world(conn, World(channels=[Channel(id="web", policy=before)]), NOW)
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


async def test_the_built_in_policy_can_be_put_in_force_again(engine: AsyncEngine) -> None:
    """By name or label, and it is published by that, once; until then it is not, nor is another version of it."""
    async with engine.begin() as conn:
        policy = ChannelPolicy(currency="EUR", location_group="all")
        await load_world(conn, World(channels=[Channel(id="web", policy=policy)]), NOW)
        await publish_policy(conn, near("1.0.0"), "near", NOW)
        idle = await activate_policy(conn, "web", "default", "ada", "", NOW)
        before, shown = await published_policies(conn), await text_of(conn, "default")
        done = [
            await activate_policy(conn, "web", name, "ada", "", NOW)
            for name in ("near", "default:1.0.0", "default", "near", "default")
        ]
        with pytest.raises(PolicyUnknown):
            await activate_policy(conn, "web", "default:1.0.1", "ada", "", NOW)
        after, listed = await in_force(conn), await published_policies(conn)

    built_in = RoutingPolicy()
    assert idle is None
    assert read_policy(shown) == (built_in, [])
    assert done == [near("1.0.0"), built_in, None, near("1.0.0"), built_in]
    assert after.routing == built_in
    assert [one.name for one in before] == ["near"]
    assert [(one.name, one.hash, one.channels) for one in listed] == [
        ("default", built_in.hash, ("web",)),
        ("near", near("1.0.0").hash, ()),
    ]


async def test_a_location_that_does_not_work_today_sends_nothing(bench: Bench) -> None:
    """By its own calendar and time zone: on its holiday the one farther away sends."""
    away = {"A": (0.0, 0.1), "B": (0.0, 0.8)}
    await bench.load({"A": {"X": 10}, "B": {"X": 10}}, at=away, routing={"eligible": {"holidays": True}})
    async with bench.engine.begin() as conn:
        await conn.execute(text("""UPDATE locations SET traits = '{"holidays": ["2026-03-01"]}' WHERE id = 'A'"""))

    order = await bench.allocated({"X": 1})
    bench.now += timedelta(days=1)
    next_day = await bench.allocated({"X": 1})

    sent = "SELECT order_id, location_id FROM fulfillment_orders ORDER BY order_id"
    assert await bench.rows(sent) == [(order, "B"), (next_day, "A")]
    [(fates,)] = await bench.rows("SELECT fates FROM routing_attempts WHERE order_id = :order", order=order)
    assert fates[0][0]["removed_by"] == "holidays"
    assert fates[0][0]["why"] == "it does not work on 2026-03-01"
