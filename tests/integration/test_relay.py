"""The relay: one order that has to wait holds up no other one."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from orderloom.bootstrap.clock import Clock
from orderloom.contracts.messages import Delivery, ReleasePin
from orderloom.domain.reserving import CreateReservation
from orderloom.inventory.reservations import create_reservation
from orderloom.persistence import intake
from worker import relay as relays
from worker.relay import GIVE_UP_AFTER, UNANSWERED, WOKEN_AT_ONCE, Relay


class SilentWorkers:
    """A courier to workers that never answer."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, order_id: str, delivery: Delivery, *, within: float) -> None:
        self.asked.append(order_id)
        await asyncio.Event().wait()


async def _taken_in(bench) -> str:
    body = bench.body({"X": 1})
    taken = await bench.submit(
        "order.placed", body, external_id=body["external_id"], idempotency_key=body["external_id"]
    )
    return taken.order_id


async def test_who_waits_for_a_worker_holds_up_nobody_else(bench) -> None:
    """While workers are silent, what wakes nobody is recorded; only so many are waited for, each once, oldest first."""
    await bench.load({"A": {"X": 10}})
    order = await bench.place({"X": 1})
    await bench.route(order)
    waiting = [await _taken_in(bench) for _ in range(WOKEN_AT_ONCE + 1)]
    # Not for the first time: then nobody else is left to deliver them.
    for (id,) in await bench.rows("SELECT id FROM intake WHERE status = 'received'"):
        await intake.postpone(bench.engine, id, bench.now)
    body: dict[str, Any] = {"fulfillment_order": f"{order}-F1", "id": "e-1", "type": "accepted"}
    await bench.submit("fulfillment.accepted", body, order_id=order)
    workers = SilentWorkers()
    relay = Relay(bench.engine, bench.vault, workers, Clock())  # pyright: ignore[reportArgumentType]

    running = asyncio.create_task(relay.run())
    async with asyncio.timeout(10):
        while "fulfillment.accepted" not in await bench.journal(order):  # noqa: ASYNC110  # it is in the database
            await asyncio.sleep(0.02)
    relay.stop()
    await running

    assert workers.asked == waiting[:WOKEN_AT_ONCE]
    assert {status for (status,) in await bench.rows("SELECT status FROM intake WHERE type = 'order.placed'")} == {
        "accepted",
        "received",
    }


async def test_a_leader_that_loses_its_connection_leads_again(engine, bench) -> None:
    """The lock went with the connection that held it; the relay goes on, and takes it again over another one."""
    relay = Relay(bench.engine, bench.vault, SilentWorkers(), Clock())  # pyright: ignore[reportArgumentType]
    leader = text(
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND database = "
        "(SELECT oid FROM pg_database WHERE datname = current_database())"
    )

    async def led_by_other_than(gone: int | None) -> int:
        async with asyncio.timeout(10):
            while True:
                async with engine.connect() as conn:
                    if (pid := await conn.scalar(leader)) not in {None, gone}:
                        return pid
                await asyncio.sleep(0.02)

    running = asyncio.create_task(relay.run())
    first = await led_by_other_than(None)
    async with engine.begin() as conn:
        await conn.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": first})
    await led_by_other_than(first)
    relay.stop()
    await running

    assert not relay.leading


async def test_commands_hide_no_events(engine, bench) -> None:
    """However many commands wait, events are seen beside them, in the order they came in."""
    await bench.load({"A": {"X": 10}})
    order = await bench.place({"X": 1})
    first, _ = await _taken_in(bench), await _taken_in(bench)
    await bench.submit("payment.updated", {"n": 1}, order_id=order)

    seen = await intake.undelivered(engine, bench.now + timedelta(minutes=1), limit=1)

    assert [(row.order_id, row.delivery.type) for row in seen] == [(first, "order.placed"), (order, "payment.updated")]


class FailingCourier:
    """A courier that makes a mistake with one order, and cannot reach the others' workers."""

    def __init__(self, order: str) -> None:
        self.order = order
        self.asked: list[str] = []

    async def __call__(self, order_id: str, delivery: Delivery, *, within: float) -> None:
        self.asked.append(order_id)
        if order_id == self.order:
            raise KeyError("a mistake")


async def test_a_mistake_with_one_row_does_not_end_the_relay(bench) -> None:
    """The row is given up after its last attempt, visibly; the others are still brought, and the relay leads on."""
    await bench.load({"A": {"X": 10}})
    poison, other = await _taken_in(bench), await _taken_in(bench)
    async with bench.engine.begin() as conn:
        await conn.execute(update(intake.intake).values(attempts=GIVE_UP_AFTER))
    courier = FailingCourier(poison)
    relay = Relay(bench.engine, bench.vault, courier, Clock())  # pyright: ignore[reportArgumentType]

    running = asyncio.create_task(relay.run())
    async with asyncio.timeout(10):
        while ("dead",) not in await bench.rows("SELECT status FROM intake") or other not in courier.asked:  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.02)
    still_leading = relay.leading
    relay.stop()
    await running

    assert still_leading
    assert await bench.rows("SELECT status FROM intake WHERE order_id = :id", id=poison) == [("dead",)]
    assert await bench.rows("SELECT status FROM intake WHERE order_id = :id", id=other) == [("received",)]


class NobodyAnswers:
    """A courier whose calls come back without an answer."""

    async def __call__(self, order_id: str, delivery: Delivery, *, within: float) -> None:
        return None


async def test_after_a_long_outage_nobody_waits_for_minutes(bench) -> None:
    """However often nobody answered for a row, it is tried again within seconds, and never given up."""
    await bench.load({"A": {"X": 10}})
    await _taken_in(bench)
    async with bench.engine.begin() as conn:
        await conn.execute(update(intake.intake).values(attempts=30))
    relay = Relay(bench.engine, bench.vault, NobodyAnswers(), Clock())  # pyright: ignore[reportArgumentType]

    running = asyncio.create_task(relay.run())
    async with asyncio.timeout(10):
        while await bench.rows("SELECT attempts FROM intake") != [(31,)]:  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.02)
    [(due_at, status)] = await bench.rows("SELECT due_at, status FROM intake")
    relay.stop()
    await running

    assert status == "received"
    assert due_at <= Clock().now() + UNANSWERED


async def test_a_reservation_that_expires_while_no_relay_runs_is_ended_by_the_next_one(bench) -> None:
    """The timer is a row: a relay that starts when the time has passed gives the units back, once."""
    await bench.load({"A": {"X": 10}})
    made = Clock().now() - timedelta(minutes=2)
    held = {"owner": "cart", "records": [{"location": "A", "sku": "X", "quantity": 4}], "expires_in": 60}
    await create_reservation(bench.engine, "r", CreateReservation.model_validate(held), made)
    assert await bench.rows("SELECT reserved FROM stock") == [(4,)]
    relay = Relay(bench.engine, bench.vault, SilentWorkers(), Clock())  # pyright: ignore[reportArgumentType]

    running = asyncio.create_task(relay.run())
    async with asyncio.timeout(10):
        while await bench.rows("SELECT status FROM reservation_requests") != [("expired",)]:  # noqa: ASYNC110  # a row tells
            await asyncio.sleep(0.02)
    relay.stop()
    await running

    assert await bench.rows("SELECT reserved FROM stock") == [(0,)]
    assert await bench.rows("SELECT status, quantity FROM reservations") == [("expired", 4)]


async def _reported(bench, *types: str) -> str:
    """Place and route an order, take in what its location reports, and return its id."""
    order = await bench.allocated({"X": 1})
    for type in types:
        body: dict[str, Any] = {"fulfillment_order": f"{order}-F1", "id": f"e-{type}", "type": type}
        await bench.submit(f"fulfillment.{type}", body, order_id=order, external_id=body["id"])
    return order


async def test_what_came_in_since_the_last_look_is_recorded_at_once(bench) -> None:
    """Events of one order that nobody waits for share a transaction, in the order they came in."""
    await bench.load({"A": {"X": 10}})
    order = await _reported(bench, "accepted", "picked")
    relay = Relay(bench.engine, bench.vault, SilentWorkers(), Clock())  # pyright: ignore[reportArgumentType]

    running = asyncio.create_task(relay.run())
    async with asyncio.timeout(10):
        while "fulfillment.picked" not in await bench.journal(order):  # noqa: ASYNC110  # it is in the database
            await asyncio.sleep(0.02)
    relay.stop()
    await running

    assert (await bench.journal(order))[-2:] == ["fulfillment.accepted", "fulfillment.picked"]
    transactions = (
        "SELECT COUNT(DISTINCT xmin::text) FROM journal WHERE type IN ('fulfillment.accepted', 'fulfillment.picked')"
    )
    assert await bench.rows(transactions) == [(1,)]


async def test_what_stands_before_a_delivery_under_way_is_left_to_it(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is recorded with the event that wakes the order; when nobody has brought that one, the relay does both."""
    monkeypatch.setattr(relays, "GRACE", 1.5)
    await bench.load({"A": {"X": 10}})
    async with bench.engine.begin() as conn:
        await conn.execute(
            text(
                "INSERT INTO flows (hash, name, version, document, body, published_at) "
                "VALUES ('h1', 'one', '1.0.0', '{}', 'x', now())"
            )
        )
    bench.pin = ReleasePin(release="r1", subscriptions={"fulfillment.shipped": ["h1"]})
    order = await _reported(bench, "accepted", "shipped")
    workers = SilentWorkers()
    relay = Relay(bench.engine, bench.vault, workers, Clock())  # pyright: ignore[reportArgumentType]

    running = asyncio.create_task(relay.run())
    await asyncio.sleep(1)
    within_grace = (await bench.journal(order))[-1], list(workers.asked)
    async with asyncio.timeout(10):
        while not workers.asked:  # noqa: ASYNC110  # a list tells
            await asyncio.sleep(0.02)
    relay.stop()
    await running

    assert within_grace == ("fulfillment.created", [])
    assert workers.asked == [order]
    assert (await bench.journal(order))[-1] == "fulfillment.accepted"
