"""Simulating past orders: what real orders recorded runs through other flows, and nothing is touched."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from flows_dsl import prebuilt
from flows_dsl.compiled import CompiledFlow
from flows_dsl.compiler import compile_flow
from orderloom.cli.flows.simulate import Simulator
from tests.command import orderloom
from tests.workflows.shop import BROKEN, WATCH, Shop, flow


@pytest.fixture
def flows() -> Sequence[str]:
    """Add a flow that listens and waits, and one that fails."""
    return (WATCH, BROKEN)


def again(*changes: tuple[str, str]) -> list[CompiledFlow]:
    """Return all flows of the shop under another version, so that each is another flow, with *changes* in them."""
    texts = [*map(prebuilt.text, prebuilt.DEFAULT_RELEASE), WATCH, BROKEN]
    for before, after in changes:
        assert any(before in each for each in texts), before
        texts = [each.replace(before, after) for each in texts]
    return [compile_flow(flow(each.replace("version: 1.0.0", "version: 9.0.0"))) for each in texts]


async def fingerprint(engine: AsyncEngine) -> dict[str, tuple[int, str]]:
    """Return how many rows each table has, and a hash of them."""
    async with engine.connect() as conn:
        names = list(await conn.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")))
        found = {}
        for name in names:
            query = text(f"SELECT count(*), coalesce(md5(string_agg(t::text, ',' ORDER BY t::text)), '') FROM {name} t")
            found[name] = tuple((await conn.execute(query)).one())
        return found


async def past_orders(shop: Shop) -> tuple[str, str, str]:
    """Return three orders: one fulfilled with an operator's decision, one cancelled, one on its way."""
    fulfilled = await shop.place()
    await shop.until_journal(fulfilled, "fulfillment.created")
    [exception] = await shop.exceptions(fulfilled)
    await shop.resolve(exception["id"], "skip", output={"invoice": "none", "total": 0})
    await shop.fulfil(fulfilled)
    await shop.until_journal(fulfilled, "test.rested")
    await shop.until_journal(fulfilled, "payment.captured")
    cancelled = await shop.place(authorised=False)
    await shop.until_journal(cancelled, "fulfillment.created")
    items = [{"line": line, "quantity": 1, "reason": "changed mind"} for line in ("a", "b")]
    answer = await shop.post(f"/v1/orders/{cancelled}/cancel-items", {"items": items, "allocated": "give_back"})
    assert answer.status_code == 200, answer.text
    await shop.until_journal(cancelled, "items.cancelled")
    under_way = await shop.place()
    await shop.until_journal(under_way, "fulfillment.created")
    for order in (fulfilled, cancelled, under_way):
        await shop.until_quiet(order)

    async def published() -> bool | None:
        async with shop.stack.engine.connect() as conn:
            return await conn.scalar(text("SELECT NOT EXISTS (SELECT 1 FROM outbox WHERE position IS NULL)")) or None

    await shop.until(published, lambda: "the relay has numbered all that there is")
    return fulfilled, cancelled, under_way


async def simulate(database_url: str, *words: str) -> tuple[int | None, list[Any]]:
    """Run the command, and return its exit status and what it printed."""
    status, out = await orderloom("flows", "simulate", *words, "--format", "json", DATABASE_URL=database_url)
    return status, [json.loads(line) for line in out.splitlines()]


async def test_past_orders_are_simulated_and_nothing_is_touched(shop: Shop, database_url: str, tmp_path: Path) -> None:
    """The same flows do the same; a change shows at the orders that it concerns, first where it is; no row changes."""
    orders = fulfilled, cancelled, under_way = await past_orders(shop)
    before = await fingerprint(shop.stack.engine)

    async def verdicts(*changes: tuple[str, str]) -> list[tuple[str, str | None, str | None]]:
        simulator = Simulator(shop.stack.engine, again(*changes), instead=False)
        found = [await simulator.verdict(order) for order in orders]
        return [(it.outcome, it.first and it.first.flow, it.first and it.first.task) for it in found]

    assert await verdicts() == [("same", None, None)] * 3

    # What is done after a shipment concerns the fulfilled order only.
    capture = "  - tell-later:"
    assert await verdicts((capture, "  - more: {emit: {event: {with: {type: test.more}}}}\n" + capture)) == [
        ("different", "watch:9.0.0", "more"),
        ("same", None, None),
        ("same", None, None),
    ]
    # Another time to rest, and another event to tell.
    assert (await verdicts(("wait: PT1S", "wait: PT2S")))[0] == ("different", "watch:9.0.0", "rest")
    # An order that still waits for its picking would not wait for it.
    first = await verdicts(("type: fulfillment.picked", "type: fulfillment.created"))
    assert first[2] == ("different", "watch:9.0.0", "until-picked")
    # A flow that starts on something else.
    flows = again(("schedule: {on: {one: {with: {type: order.placed}}}}", "schedule: {on: {one: {with: {type: x.y}}}}"))
    found = await Simulator(shop.stack.engine, flows, instead=False).verdict(cancelled)
    assert found.first is not None
    assert (found.outcome, found.first.flow, found.first.would) == ("different", "watch", "not start")

    # By a path: its flow stands in for that of the same name in the order's own release.
    mine = tmp_path / "watch.yaml"
    mine.write_text(WATCH.replace("version: 1.0.0", "version: 1.1.0").replace("test.picked", "test.was.picked"))
    simulator = await Simulator.open(shop.stack.engine, str(mine))
    told = [await simulator.verdict(order) for order in (fulfilled, under_way)]
    assert [it.outcome for it in told] == ["different", "same"]
    assert told[0].first is not None
    assert told[0].first.did == 'emit test.picked {"by":"vienna"}'
    assert told[0].first.would == 'emit test.was.picked {"by":"vienna"}'

    status, lines = await simulate(database_url, "--to", str(mine), "--channel", "web")
    assert status == 1
    assert {it["order"]: it["outcome"] for it in lines} == {
        fulfilled: "different", cancelled: "same", under_way: "same",
    }  # fmt: skip
    assert await simulate(database_url, "--to", "channel:web", "--order", cancelled) == (
        0, [{"order": cancelled, "outcome": "same"}],
    )  # fmt: skip
    assert [it["order"] for it in (await simulate(database_url, "--to", "channel:web", "--limit", "1"))[1]] == [
        under_way
    ]

    assert await fingerprint(shop.stack.engine) == before
