"""Releases of channels: what is in force, its history, and what was published for it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from flows_dsl import prebuilt
from flows_dsl.composing import compose, written
from flows_dsl.release import pack
from orderloom.contracts.flows import PackedRelease, Written
from orderloom.domain.channel import ChannelPolicy, TaxPolicy
from orderloom.domain.errors import NotFound
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.persistence.flows import FlowVersionExists, LayerVersionExists, publish
from orderloom.persistence.releases import NothingBefore, activate, rollback
from orderloom.persistence.world import Channel, World, load_world
from orderloom.readmodels.catalog import channel_in_force
from orderloom.readmodels.releases import ReleaseAmbiguous, full_hash, history, release_view, sources_of, written_for
from tests.command import orderloom

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GREET = """\
document: {dsl: 1.0.3, namespace: shop, name: greet, version: 1.0.0}
evaluate: {language: cel}
schedule: {on: {one: {with: {type: order.placed}}}}
do:
  - hello: {set: {a: 1}}
"""
LAYER = """\
layer: {name: house, version: 1.0.0, scope: global}
flows: {greet: {insert: [{after: hello, tasks: [{more: {set: {b: 1}}}]}]}}
"""


def greet(number: int) -> PackedRelease:
    """Return a release with one flow, of version 1.0.*number*."""
    return compose([written("greet.yaml", GREET.replace("1.0.0", f"1.0.{number}"))], channel="web")


def layered(flow: str = GREET, layer: str = LAYER) -> PackedRelease:
    """Return a release of a flow under a layer."""
    layers: list[Written] = [written("house.yaml", layer)]
    return compose([written("greet.yaml", flow)], layers, channel="web")


async def open_channel(conn: AsyncConnection, release: str | None = None) -> None:
    policy = ChannelPolicy(currency="EUR", location_group="all", tax=TaxPolicy(), routing=RoutingPolicy())
    await load_world(conn, World(channels=[Channel(id="web", policy=policy, release=release)]), NOW)


async def test_new_orders_take_what_is_in_force(engine: AsyncEngine) -> None:
    """Activating and rolling back change what the next order is pinned to, step by step, and tell who, when and why."""
    hashes: list[str] = []
    in_force: list[str | None] = []

    async def look(conn: AsyncConnection) -> None:
        channel = await channel_in_force(conn, "web")
        assert channel is not None
        in_force.append(channel.pin.release if channel.pin else None)

    async with engine.begin() as conn:
        await open_channel(conn)
        await look(conn)
        for number in range(3):
            hashes.append((await publish(conn, greet(number), NOW)).release)
            at = NOW + timedelta(minutes=number)
            assert await activate(conn, "web", hashes[number], "publish", "ann", f"step {number}", at)
            assert not await activate(conn, "web", hashes[number], "publish", "bob", "again", at)
        await look(conn)
        for _ in range(2):
            await rollback(conn, "web", "eve", "it was wrong", NOW + timedelta(hours=1))
            await look(conn)
        with pytest.raises(NothingBefore):
            await rollback(conn, "web", "eve", "", NOW)
        assert await activate(conn, "web", hashes[2], "activate", "ann", "mended", NOW + timedelta(hours=2))
        await look(conn)
        steps = await history(conn, "web")

    a, b, c = hashes
    assert in_force == [None, c, b, a, c]
    assert [(it.number, it.kind, it.release, it.previous, it.by, it.reason, it.in_force) for it in steps] == [
        (6, "activate", c, a, "ann", "mended", True),
        (5, "rollback", a, b, "eve", "it was wrong", False),
        (4, "rollback", b, c, "eve", "it was wrong", False),
        (3, "publish", c, b, "ann", "step 2", False),
        (2, "publish", b, a, "ann", "step 1", False),
        (1, "publish", a, None, "ann", "step 0", False),
    ]
    assert steps[0].at == NOW + timedelta(hours=2)


async def test_a_loaded_world_is_part_of_the_history(engine: AsyncEngine) -> None:
    """What a world puts in force stands in the history once, and can be gone back to."""
    async with engine.begin() as conn:
        first = (await publish(conn, pack(prebuilt.documents()), NOW)).release
        await open_channel(conn, first)
        await open_channel(conn, first)
        await open_channel(conn)
        second = (await publish(conn, greet(1), NOW)).release
        await activate(conn, "web", second, "publish", "ann", "", NOW)
        back = await rollback(conn, "web", "ann", "", NOW)
        kinds = [step.kind for step in await history(conn, None)]

    assert back == first
    assert kinds == ["rollback", "publish", "load"]


async def test_activating_is_one_step(engine: AsyncEngine) -> None:
    """What fails after activating leaves neither the pointer nor the history changed."""
    async with engine.begin() as conn:
        await open_channel(conn)
        release = (await publish(conn, greet(1), NOW)).release

    async def twice() -> None:
        async with engine.begin() as conn:
            await activate(conn, "web", release, "publish", "ann", "", NOW)
            await activate(conn, "nowhere", release, "publish", "ann", "", NOW)

    with pytest.raises(NotFound):
        await twice()

    async with engine.connect() as conn:
        channel = await channel_in_force(conn, "web")
        assert channel is not None
        assert channel.pin is None
        assert await history(conn, None) == []


async def test_a_version_has_one_content_with_layers_too(engine: AsyncEngine) -> None:
    """A base flow or a layer of the same version but another content is refused; another layout is not."""
    async with engine.begin() as conn:
        release = (await publish(conn, layered(), NOW)).release

    async with engine.begin() as conn:
        laid_out = layered(f"# A remark.\n{GREET}", f"# Another.\n{LAYER}")
        assert (await publish(conn, laid_out, NOW)).release == release
    with pytest.raises(FlowVersionExists):
        async with engine.begin() as conn:
            await publish(conn, layered(GREET.replace("a: 1", "a: 2")), NOW)
    with pytest.raises(LayerVersionExists):
        async with engine.begin() as conn:
            await publish(conn, layered(layer=LAYER.replace("b: 1", "b: 2")), NOW)
    with pytest.raises(FlowVersionExists):
        async with engine.begin() as conn:
            await publish(conn, compose([written("greet.yaml", GREET.replace("a: 1", "a: 2"))], channel="web"), NOW)

    async with engine.connect() as conn:
        view = await release_view(conn, release)
        kept = await written_for(conn, await sources_of(conn, release))
    assert [(flow.name, flow.version, flow.source, flow.starts_on) for flow in view.flows] == [
        ("greet", "1.0.0+house-1.0.0", "greet:1.0.0", ["order.placed"])
    ]
    assert (view.layers, view.channels, view.open_orders) == (["house:1.0.0"], [], 0)
    assert {key: one.text for key, one in kept.items()} == {
        ("flow", "greet:1.0.0"): GREET,
        ("layer", "house:1.0.0"): LAYER,
    }


async def test_a_release_is_named_by_its_beginning(engine: AsyncEngine) -> None:
    """Six characters are enough when no other begins like that; fewer are not, and unknown ones are not found."""
    async with engine.begin() as conn:
        release = (await publish(conn, greet(1), NOW)).release

        assert await full_hash(conn, release[:6]) == release
        with pytest.raises(ReleaseAmbiguous):
            await full_hash(conn, release[:5])
        with pytest.raises(NotFound):
            await full_hash(conn, f"{release}0")


async def test_the_commands_work_on_a_database(engine: AsyncEngine, database_url: str, tmp_path: Path) -> None:
    """Publish refuses findings and stores nothing; then publishes, lists and rolls back, each a command of its own."""
    async with engine.begin() as conn:
        await open_channel(conn)
    (tmp_path / "greet.yaml").write_text(GREET)
    (tmp_path / "greet.test.yaml").write_text("no flow")
    (tmp_path / "wrong.yaml").write_text(GREET.replace("set: {a: 1}", "call: find-rotes"))

    async def flows(*words: str) -> tuple[int | None, str]:
        environment = {"DATABASE_URL": database_url, "ORDERLOOM_KEYS_URL": database_url}
        status, out = await orderloom("flows", *words, **environment)
        return status, out.strip()

    refused = await flows("publish", str(tmp_path))
    async with engine.connect() as conn:
        assert await history(conn, None) == []
    (tmp_path / "wrong.yaml").unlink()
    only = await flows("publish", str(tmp_path), "--only", "--by", "ann", "--reason", "first")
    more = await flows("publish", str(tmp_path))
    over = tmp_path / "layers"
    over.mkdir()
    (over / "house.yaml").write_text(LAYER)
    with_layer = await flows("publish", str(over), "--channel", "web")
    back = await flows("releases", "rollback", "--reason", "too much")
    _, listed = await flows("releases", "list", "--format", "json")
    explained = await flows("explain", "greet", "--release", with_layer[1])
    compared = await flows("diff", only[1], with_layer[1], "--format", "json")
    same, unknown = (
        await flows("diff", "channel:web", str(tmp_path / "greet.yaml")),
        await flows("diff", only[1], "0" * 9),
    )

    assert refused[0] == 1
    assert "wrong.yaml:5:" in refused[1]
    assert (only[0], more, with_layer[0], back) == (0, only, 0, only)
    assert with_layer != only
    layer = f"{over / 'house.yaml'}:2:63  [house:1.0.0]  /do/1/more/set/b = 1"
    assert (explained[0], explained[1].splitlines()[-1]) == (0, layer)
    assert f"{tmp_path / 'greet.yaml'}:5:19  /do/0/hello/set/a = 1" in explained[1].splitlines()
    assert (compared[0], json.loads(compared[1])) == (
        1,
        {"breaking": 0, "changes": [{"flow": "greet", "task": "more", "what": "added", "field": "", "after": "set"}]},
    )
    assert (same, unknown) == ((0, ""), (2, ""))
    assert [(it["kind"], it["by"] == "ann", it["reason"]) for it in json.loads(listed)] == [
        ("rollback", False, "too much"),
        ("publish", False, ""),
        ("publish", True, "first"),
    ]
