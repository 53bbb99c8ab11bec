"""An action happens once for its key, whatever happens to the worker that asked for it."""

import asyncio

import pytest

from activities import registry, serving, transaction
from activities.record import record_delivery
from activities.transaction import IdempotencyConflict
from orderloom.contracts.actions import CORE_ACTIONS, Runs
from orderloom.contracts.messages import Delivery, FlowFinished, ReleasePin, RunAction
from orderloom.domain.errors import InvalidInput, NotFound


async def test_the_same_key_answers_the_same(bench) -> None:
    """Asked again, an action answers what it answered, events included, and changes nothing."""
    await bench.load({"A": {"X": 10}})
    order = await bench.place({"X": 4})

    first = await bench.act("create-reservation", order, key="k")
    second = await bench.act("create-reservation", order, key="k")

    assert second == first
    assert [event.type for event in second.applied.events] == ["stock.reserved"]
    assert await bench.reserved() == {"all X": 4}
    assert await bench.journal(order) == ["order.placed", "stock.reserved"]
    assert await bench.rows("SELECT count(*) FROM outbox") == [(2,)]


async def test_another_input_to_the_same_key_is_loud(bench) -> None:
    """A key belongs to one action with one input."""
    await bench.load({"A": {"X": 10}})
    order = await bench.place({"X": 4})
    await bench.act("resolve-exceptions", order, {"code": "a"}, key="k")

    with pytest.raises(IdempotencyConflict):
        await bench.act("resolve-exceptions", order, {"code": "b"}, key="k")
    with pytest.raises(IdempotencyConflict):
        await bench.act("create-reservation", order, key="k")

    assert await bench.reserved() == {}


async def test_concurrent_twins_have_one_effect(bench) -> None:
    """Two workers that run the same local activity at once get the same answer; the later one waits and repeats."""
    await bench.load({"A": {"X": 100}})
    order = await bench.place({"X": 4})

    answers = await asyncio.gather(*(bench.act("create-reservation", order, key="k") for _ in range(8)))

    assert [answer.output["outcome"] for answer in answers] == ["reserved"] * 8
    assert {answer.applied.events[0].seq for answer in answers} == {2}
    assert await bench.reserved() == {"all X": 4}
    assert await bench.rows("SELECT count(*) FROM idempotency WHERE key = 'k'") == [(1,)]


async def test_an_error_leaves_nothing_behind(bench) -> None:
    """A transaction that ends in a typed error writes no idempotency row: the flow may try again."""
    await bench.load({"A": {"X": 10}})
    order = await bench.place({"X": 4})

    with pytest.raises(NotFound):
        await bench.act("fulfill-reservation", order, {"fulfillment_order": f"{order}-F1"}, key="k")

    assert await bench.rows("SELECT count(*) FROM idempotency WHERE key = 'k'") == [(0,)]
    assert await bench.journal(order) == ["order.placed"]


async def test_wrong_input_names_the_field(bench) -> None:
    """An input that does not fit the contract is refused before the order is looked at."""
    await bench.load({"A": {"X": 10}})
    order = await bench.place({"X": 4})

    with pytest.raises(InvalidInput) as refused:
        await bench.act("find-routes", order, {"schedule": 0})

    assert [error.pointer for error in refused.value.errors] == ["/schedule"]


async def test_an_unknown_order_is_not_found(bench) -> None:
    """There is nothing to act on."""
    await bench.load({"A": {"X": 10}})

    with pytest.raises(NotFound):
        await bench.act("create-reservation", "999")


async def test_events_start_the_flows_that_subscribe(bench) -> None:
    """A journaled event has a running instance per subscribed flow, and brings bodies that the run does not know."""
    await bench.load({"A": {"X": 10}})
    async with bench.engine.begin() as conn:
        await conn.exec_driver_sql(
            "INSERT INTO flows (hash, name, version, document, body, published_at) "
            "VALUES ('h1', 'one', '1.0.0', '{}', '\\x01', now()), ('h2', 'two', '1.0.0', '{}', '\\x02', now())"
        )
    bench.pin = ReleasePin(release="r1", subscriptions={"order.placed": ["h1"], "stock.reserved": ["h1", "h2"]})
    order = await bench.place({"X": 4})

    done = await bench.act("create-reservation", order)
    unfinished = await bench.rows("SELECT instance, flow, seq, status FROM flow_instances ORDER BY seq, flow")
    [(intake_id,)] = await bench.rows("SELECT id FROM intake")

    assert done.applied.flows == {"h1": "0R", "h2": "0s"}
    assert unfinished == [
        (f"{intake_id}@h1", "h1", 1, "running"),
        (f"{order}:2@h1", "h1", 2, "running"),
        (f"{order}:2@h2", "h2", 2, "running"),
    ]
    assert await bench.rows("SELECT wanted FROM orders") == [(["order.placed", "stock.reserved"],)]


async def test_finished_instances_are_noted(bench) -> None:
    """The next transaction marks instances that ended, a repeated one too; their events start nothing again."""
    await bench.load({"A": {"X": 10}})
    async with bench.engine.begin() as conn:
        await conn.exec_driver_sql(
            "INSERT INTO flows (hash, name, version, document, body, published_at) "
            "VALUES ('h1', 'one', '1.0.0', '{}', '\\x01', now())"
        )
    bench.pin = ReleasePin(release="r1", subscriptions={"order.placed": ["h1"]})
    order = await bench.place({"X": 4})
    [(instance,)] = await bench.rows("SELECT instance FROM flow_instances")
    await bench.act("create-reservation", order, key="k")
    serving.activities(bench.engine, bench.vault)
    entry = registry.entries["create-reservation@1"]
    finished = [FlowFinished(instance=instance, outcome="completed")]
    request = RunAction(context=bench.context(order, finished=finished), key="k", input={}, cause="test")

    await transaction.run(bench.services, entry.contract, entry.run, request)
    [(intake_id,)] = await bench.rows("SELECT id FROM intake")
    again = await record_delivery(
        bench.engine, bench.vault, bench.context(order), Delivery(intake_id=intake_id, type="order.placed")
    )

    assert await bench.rows("SELECT status FROM flow_instances") == [("completed",)]
    assert (again.receipt.seq, again.applied.events) == (1, [])


async def test_every_contract_has_its_activities(bench) -> None:
    """The worker is given one activity for each local action, two for each outside action, and the order's own."""
    names = {activity.__temporal_activity_definition.name for activity in serving.activities(bench.engine, bench.vault)}

    local = {contract.activity for contract in CORE_ACTIONS if contract.runs is Runs.LOCAL}
    outside = {
        f"{contract.activity}.{phase}"
        for contract in CORE_ACTIONS
        if contract.runs is Runs.OUTSIDE
        for phase in ("prepare", "settle")
    }
    own = {"record", "park", "rebuild", "emit-event", "raise-fault", "find-fault", "record-compensation@1", "move"}
    own.add("record-answer")
    assert names == local | outside | own
