"""Moving orders to another release, on real Temporal: places kept, nothing done twice, refusals that change nothing."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import select

from flows_dsl.prebuilt import documents
from flows_dsl.release import pack
from orderloom.bootstrap.delivery import Courier
from orderloom.contracts.messages import OrderInput
from orderloom.contracts.queues import workflow_id
from orderloom.domain.model import JsonObject
from orderloom.persistence.flows import publish
from orderloom.persistence.intake import Submission, submit
from orderloom.persistence.releases import activate
from orderloom.persistence.starting import Start
from orderloom.persistence.tables.orders import orders
from orderloom.stack import Stack
from tests.command import orderloom
from tests.workflows.shop import BROKEN, OPENED, WATCH, Shop, flow

MOVED = WATCH.replace("version: 1.0.0", "version: 1.1.0").replace(
    "do:\n", "do:\n  - look: {set: {seen: 1}}\n  - look-again: {set: {seen: 2}}\n"
).replace("test.rested", "test.rested.anew")  # fmt: skip
"""The same flow with tasks before the one that it listens at, and another event at its end."""
GONE = WATCH.replace("version: 1.0.0", "version: 2.0.0").replace("until-picked", "until-it-is-picked")
"""The same flow, but the task at which it listens has another name."""


TURNS = """
document: {dsl: 1.0.3, namespace: test, name: turns, version: 1.0.0}
evaluate: {language: cel}
schedule: {on: {any: [{with: {type: fulfillment.accepted}}, {with: {type: fulfillment.picked}}]}}
do:
  - until-shipped:
      listen: {to: {one: {with: {type: fulfillment.shipped}}}}
      timeout: {after: PT1H}
  - tell:
      emit: {event: {with: {type: test.turn, data: {}}}}
"""
"""A flow of which one instance at a time runs."""


@pytest.fixture
def flows() -> Sequence[str]:
    """Add a flow that listens for what no other flow wants, and then waits; and one that fails."""
    return (WATCH, BROKEN)


async def released(shop: Shop, *texts: str) -> str:
    """Publish the flows that ship with others beside them, and return the release. No channel uses it."""
    async with shop.stack.engine.begin() as conn:
        return (await publish(conn, pack([*documents(), *map(flow, texts)]), OPENED)).release


async def move(shop: Shop, order: str, release: str) -> Any:
    """Ask for an order to be moved, and return the receipt."""
    answer = await shop.post(f"/v1/orders/{order}/release", {"release": release})
    return answer.status_code, answer.json()


async def waiting_order(shop: Shop) -> str:
    """Return an order whose flow listens for a picking."""
    order = await shop.place()
    await shop.until_journal(order, "fulfillment.created")
    await shop.exceptions(order)
    await shop.until_quiet(order)
    return order


async def release_of(shop: Shop, order: str) -> str:
    async with shop.stack.engine.connect() as conn:
        return str(await conn.scalar(select(orders.c.release).where(orders.c.id == order)))


async def test_a_waiting_instance_keeps_its_place(shop: Shop) -> None:
    """Tasks inserted before it change nothing for an instance that waits; what follows is the new flow's."""
    order = await waiting_order(shop)
    new = await released(shop, MOVED, BROKEN)

    status, answer = await move(shop, order, new)
    await shop.fulfil(order)
    journal = await shop.until_journal(order, "test.rested.anew")

    assert (status, answer["receipt"]["status"]) == (200, "accepted")
    assert await release_of(shop, order) == new
    assert journal.count("test.picked") == 1
    assert journal.count("order.release.changed") == 1
    assert "test.rested" not in journal
    await shop.until_quiet(order)
    assert sorted(await shop.outcomes(order, "watch")) == ["completed", "moved"]
    assert (await shop.get(f"/v1/orders/{order}"))["release"] == new


async def test_a_release_without_its_task_is_refused(shop: Shop) -> None:
    """Refused, the order stays on its release, its instance goes on, and the reason names the task."""
    order = await waiting_order(shop)
    before, old = await shop.journal(order), await release_of(shop, order)
    new = await released(shop, GONE, BROKEN)

    preview = await shop.get(f"/v1/orders/{order}/release?to={new}")
    status, answer = await move(shop, order, new)

    assert (preview["outcome"], preview["release"]) == ("refused", old)
    assert (status, answer["code"], answer["facts"]["task"]) == (409, "release.move_refused", "until-picked")
    assert preview["reason"] == answer["detail"]
    assert await release_of(shop, order) == old
    assert await shop.journal(order) == before
    await shop.fulfil(order)
    journal = await shop.until_journal(order, "test.rested")
    assert journal.count("test.picked") == 1


async def test_a_preview_tells_and_changes_nothing(shop: Shop) -> None:
    """The preview names each instance with the task it stands at; to the own release nothing changes."""
    order = await waiting_order(shop)
    before, old = await shop.journal(order), await release_of(shop, order)
    new = await released(shop, MOVED, BROKEN)

    there = await shop.get(f"/v1/orders/{order}/release?to={new}")
    here = await shop.get(f"/v1/orders/{order}/release?to={old}")

    assert (there["outcome"], here["outcome"]) == ("moves", "unchanged")
    assert [(it["flow"], it["to"], it["task"]) for it in there["instances"]] == [
        ("watch:1.0.0", "watch:1.1.0", "until-picked"),
        ("broken:1.0.0", "broken:1.0.0", "invoice-nothing"),
    ]
    assert await shop.journal(order) == before
    assert await release_of(shop, order) == old


async def test_moving_again_changes_nothing(shop: Shop) -> None:
    """The same command twice, and another one to the release that the order is on, leave one entry in the journal."""
    order = await waiting_order(shop)
    new = await released(shop, MOVED, BROKEN)
    body: JsonObject = {"release": new}

    answers = [await shop.post(f"/v1/orders/{order}/release", body, key=key) for key in ("one", "one", "two")]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert answers[0].json() == answers[1].json()
    assert (await shop.journal(order)).count("order.release.changed") == 1
    unknown = await shop.post(f"/v1/orders/{order}/release", {"release": "0" * 32})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")


async def test_an_exception_moves_with_its_instance(shop: Shop) -> None:
    """An instance that waits for an operator waits on, at the same exception, and goes on in the new flow."""
    order = await waiting_order(shop)
    [exception] = await shop.exceptions(order)
    new = await released(shop, WATCH, BROKEN.replace("1.0.0", "1.0.1").replace("do:\n", "do:\n  - x: {set: {}}\n"))

    assert (await move(shop, order, new))[0] == 200
    await shop.until_quiet(order)
    assert [it["id"] for it in await shop.exceptions(order)] == [exception["id"]]
    await shop.resolve(exception["id"], "skip", output={"invoice": "none", "total": 0})

    journal = await shop.until_journal(order, "test.over")
    assert journal.count("exception.raised") == 1
    await shop.until_quiet(order)
    assert sorted(await shop.outcomes(order, "broken")) == ["completed", "moved"]


async def test_what_waits_to_start_starts_in_the_new_flow(shop: Shop) -> None:
    """An instance that waits for another one of its flow is moved too, and begins when that has ended."""
    async with shop.stack.engine.begin() as conn:
        first = (await publish(conn, pack([*documents(), *map(flow, (WATCH, BROKEN, TURNS))]), OPENED)).release
        await activate(conn, "web", first, "activate", "ann", "", OPENED)
    order = await waiting_order(shop)
    for kind in ("accepted", "picked"):
        await shop.report(order, kind)
        await shop.until_journal(order, f"fulfillment.{kind}")
    await shop.until_quiet(order)
    changed = TURNS.replace("version: 1.0.0", "version: 1.1.0").replace("test.turn", "test.new.turn")
    new = await released(shop, WATCH, BROKEN, changed)

    assert (await move(shop, order, new))[0] == 200
    await shop.report(order, "shipped")
    journal = await shop.until_journal(order, "test.new.turn", 2)
    await shop.until_quiet(order)

    assert "test.turn" not in journal
    assert sorted(await shop.outcomes(order, "turns")) == ["completed", "completed", "moved", "moved"]


async def test_there_and_back_again(shop: Shop) -> None:
    """Moved to another release and back, twice, an instance does once what it has to do."""
    order = await waiting_order(shop)
    old, new = await release_of(shop, order), await released(shop, MOVED, BROKEN)

    answers = [await move(shop, order, release) for release in (new, old, new, old)]
    assert [(status, answer["receipt"]["seq"] is not None) for status, answer in answers] == [(200, True)] * 4
    await shop.fulfil(order)
    journal = await shop.until_journal(order, "test.rested")

    assert journal.count("order.release.changed") == 4
    assert journal.count("test.picked") == 1
    assert journal.count("payment.captured") <= 1
    await shop.until_journal(order, "payment.captured")
    assert "test.rested.anew" not in journal


async def test_a_moved_order_comes_back_where_it_was(shop: Shop) -> None:
    """After Temporal has lost it, a moved order goes on in its new release from where it came there; nothing twice."""
    order = await waiting_order(shop)
    new = await released(shop, MOVED, BROKEN)
    assert (await move(shop, order, new))[0] == 200
    await shop.until_quiet(order)
    await shop.stack.client.get_workflow_handle(workflow_id(order)).terminate("lost")

    await shop.fulfil(order)
    journal = await shop.until_journal(order, "test.rested.anew")
    await shop.until_journal(order, "payment.captured")

    assert journal.count("test.picked") == 1
    assert journal.count("stock.reserved") == 1
    assert journal.count("fulfillment.created") == 1
    assert await release_of(shop, order) == new


async def test_an_order_keeps_its_release_over_runs_and_restarts(
    shop: Shop, settings: Any, options: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another release in force for the channel, new runs and new workers: the order stays; moved, it stays there."""
    original = Courier.start_input

    async def short(courier: Courier, order_id: str, intake_id: str | None, start: Start | None = None) -> OrderInput:
        return (await original(courier, order_id, intake_id, start)).model_copy(update={"max_events": 12})

    monkeypatch.setattr(Courier, "start_input", short)
    first, second = await waiting_order(shop), await waiting_order(shop)
    old, new = await release_of(shop, first), await released(shop, MOVED, BROKEN)
    assert (await move(shop, second, new))[0] == 200
    async with Stack.start(settings, options) as another:
        there = Shop(another)
        for order in (first, second):
            await there.fulfil(order)
        await there.until_journal(first, "test.rested")
        await there.until_journal(second, "test.rested.anew")

    assert (await release_of(shop, first), await release_of(shop, second)) == (old, new)
    assert "test.rested" not in await shop.journal(second)
    assert "test.rested.anew" not in await shop.journal(first)
    assert len(await shop.histories(second)) > 1


async def migrate(shop: Shop, *words: str) -> tuple[int | None, list[Any]]:
    """Run the command, and return its exit status and what it printed."""
    status, out = await orderloom("flows", "migrate", *words, "--format", "json", "--api", shop.stack.api_url)
    return status, [json.loads(line) for line in out.splitlines()]


async def test_the_command_moves_what_is_meant_and_may_be_repeated(shop: Shop) -> None:
    """Each order has a result; a run that was cut off is repeated, and nothing is moved twice."""
    first, second, third = [await waiting_order(shop) for _ in range(3)]
    old, new = await release_of(shop, first), await released(shop, MOVED, BROKEN)
    gone = await released(shop, GONE, BROKEN)

    previewed = await migrate(shop, "--to", new[:8], "--channel", "web", "--preview")
    refused = await migrate(shop, "--to", gone, "--order", first)
    # A run that moved one order and then died while the next one's command was on its way: the relay brings it.
    assert await migrate(shop, "--to", new, "--order", third) == (0, [{"order": third, "result": "moved", "tasks": []}])
    command = Submission(
        kind="command", type="order.release.requested", source="operators", idempotency_key="cut off",
        order_id=second, body={"release": new}, received_at=shop.stack.clock.now(),
    )  # fmt: skip
    await submit(shop.stack.engine, shop.stack.vault, command)
    await shop.until_journal(second, "order.release.changed")
    repeated = [await migrate(shop, "--to", new, "--channel", "web") for _ in range(2)]

    assert previewed[0] == 0
    assert {it["order"]: it["result"] for it in previewed[1]} == dict.fromkeys((first, second, third), "moves")
    assert "watch:1.0.0 at until-picked" in previewed[1][0]["tasks"]
    assert (refused[0], refused[1][0]["result"]) == (1, "refused")
    assert "until-picked" in refused[1][0]["reason"]
    assert [(status, {it["order"]: it["result"] for it in results}) for status, results in repeated] == [
        (0, {third: "unchanged", second: "unchanged", first: "moved"}),
        (0, {third: "unchanged", second: "unchanged", first: "unchanged"}),
    ]
    for order in (first, second, third):
        assert (await shop.journal(order)).count("order.release.changed") == 1
    assert await migrate(shop, "--to", new, "--on", old) == (0, [])


async def test_new_orders_take_what_is_in_force(shop: Shop) -> None:
    """Putting a release in force is for the next orders; those under way stay, and follow their own flow."""
    before = await waiting_order(shop)
    old, new = await release_of(shop, before), await released(shop, MOVED, BROKEN)

    async with shop.stack.engine.begin() as conn:
        await activate(conn, "web", new, "activate", "ann", "", shop.stack.clock.now())
    after = await waiting_order(shop)

    assert (await release_of(shop, before), await release_of(shop, after)) == (old, new)
    for order, told in ((before, "test.rested"), (after, "test.rested.anew")):
        await shop.fulfil(order)
        await shop.until_journal(order, told)
    assert "test.rested.anew" not in await shop.journal(before)
    assert "test.rested" not in await shop.journal(after)
