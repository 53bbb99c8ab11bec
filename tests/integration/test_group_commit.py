"""Reservations of several orders in one transaction: each order as if it were alone."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from activities import group_commit, registry, serving
from activities.transaction import IdempotencyConflict
from orderloom.contracts.messages import ActionDone, RunAction
from orderloom.domain.errors import NotFound
from orderloom.persistence.world import World, load_world

type Run = Callable[[RunAction], Awaitable[ActionDone]]


@pytest.fixture
def reserve(bench, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what the worker runs for ``create-reservation``, however slow this machine is."""
    monkeypatch.setattr(group_commit, "STUCK", 60)
    serving.activities(bench.engine, bench.vault)
    return serving.runner(bench.services, registry.entries["create-reservation@1"])


def _request(bench, order: str, key: str = "k") -> RunAction:
    return RunAction(context=bench.context(order), key=key, input={}, cause="test:1.0.0/do/0")


def _commits(bench) -> list[str]:
    commits: list[str] = []
    event.listen(bench.engine.sync_engine, "commit", lambda _: commits.append("commit"))
    return commits


async def test_a_group_leaves_what_each_would_have_left_alone(bench, reserve: Run) -> None:
    """Ten orders in a group write, order by order, the rows and answers of ten that ran one by one."""
    await bench.load({"A": {"X": 100, "Y": 100}})
    alone = [await bench.place({"X": 2, "Y": 1}) for _ in range(10)]
    grouped = [await bench.place({"X": 2, "Y": 1}) for _ in range(10)]
    expected = [await bench.act("create-reservation", order, key="k") for order in alone]
    commits = _commits(bench)

    answers = await asyncio.gather(*(reserve(_request(bench, order)) for order in grouped))

    assert len(commits) == 2  # the first found nothing under way
    for one, other, order in zip(expected, answers, grouped, strict=True):
        told = other.model_dump_json().replace(order, one.applied.order["id"])
        assert told == one.model_dump_json()
        await bench.header_is_true(order, other.applied.order)
    for query in LEFT:
        left = [[str(row) for row in await bench.rows(query, orders=orders)] for orders in (alone, grouped)]
        assert left[0], query
        assert left[0] == left[1], query
    assert await bench.reserved() == {"all X": 40, "all Y": 20}
    assert await bench.counters_agree()


LEFT = (
    "SELECT seq, type, data, cause, time FROM journal WHERE order_id = ANY(:orders) AND seq > 1 ORDER BY order_id, seq",
    "SELECT seq FROM outbox WHERE order_id = ANY(:orders) ORDER BY order_id, seq",
    "SELECT key, input_hash, answer FROM idempotency WHERE order_id = ANY(:orders) AND key = 'k' ORDER BY order_id",
    "SELECT seq, line_id, state, place, fulfillment_order_id, quantity, amount, tax FROM unit_entries "
    "WHERE order_id = ANY(:orders) ORDER BY order_id, seq, line_id, state",
    "SELECT line_id, sku, group_id, location_id, fulfillment_order_id, quantity, status, created_at FROM reservations "
    "WHERE order_id = ANY(:orders) ORDER BY order_id, line_id",
    "SELECT seq, wanted, routing_attempts, closed_at FROM orders WHERE id = ANY(:orders) ORDER BY id",
)
"""What a reservation writes, without what differs between orders."""


async def test_a_group_takes_as_many_statements_as_one_order(bench, reserve: Run) -> None:
    """However many orders: one statement locks and reads, one reserves, one writes."""
    await bench.load({"A": {"X": 100, "Y": 100}})
    orders = [await bench.place({"X": 1, "Y": 1}) for _ in range(30)]
    statements: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    async with _busy(bench, reserve):
        calls = await _begun(reserve(_request(bench, order)) for order in orders)
        event.listen(bench.engine.sync_engine, "before_cursor_execute", note)
    await asyncio.gather(*calls)
    event.remove(bench.engine.sync_engine, "before_cursor_execute", note)

    assert len([one for one in statements if "idempotency i" in one]) == 1
    assert len(statements) == 3


async def test_first_come_first_served(bench, reserve: Run) -> None:
    """Of a group that wants more than there is, whoever came first is served; one that wants other things is too."""
    await bench.load({"A": {"X": 5, "Y": 5}})
    wants = [{"X": 2}, {"Y": 1}, {"X": 2, "Y": 1}, {"X": 2}, {"X": 1}, {"Y": 4}, {"Y": 1}]
    orders = [await bench.place(items) for items in wants]

    async with _busy(bench, reserve):
        calls = await _begun(reserve(_request(bench, order)) for order in orders)
    answers = await asyncio.gather(*calls)

    short_of = [[(one["sku"], one["quantity"]) for one in answer.output["short"]] for answer in answers]
    assert short_of == [[], [], [], [("X", 1)], [], [("Y", 1)], []]
    assert await bench.reserved() == {"all X": 5, "all Y": 3}
    assert await bench.counters_agree()


async def test_one_orders_errors_are_its_own(bench, reserve: Run) -> None:
    """One is not there, one's key came with other input, one's was answered before: the others are reserved."""
    await bench.load({"A": {"X": 100}})
    orders = [await bench.place({"X": 1}) for _ in range(6)]
    conflict, repeated, *fresh = orders
    await bench.act("resolve-exceptions", conflict, {"code": "a"}, key="k")
    before = await bench.act("create-reservation", repeated, key="k")

    async with _busy(bench, reserve):
        calls = await _begun(reserve(_request(bench, order)) for order in (*orders, "unknown"))
    answers = await asyncio.gather(*calls, return_exceptions=True)

    assert isinstance(answers[0], IdempotencyConflict)
    assert answers[1] == before
    assert isinstance(answers[-1], NotFound)
    assert [answer.output["outcome"] for answer in answers[2:-1]] == ["reserved"] * len(fresh)
    assert await bench.reserved() == {"all X": 5}
    assert await bench.journal(conflict) == ["order.placed"]
    assert await bench.counters_agree()


async def test_one_orders_broken_constraint_is_its_own(bench, reserve: Run) -> None:
    """An order whose rows PostgreSQL refuses fails alone, with nothing left of it; the others are reserved once."""
    await bench.load({"A": {"X": 100}})
    broken, *fresh = [await bench.place({"X": 1}) for _ in range(6)]
    async with bench.engine.begin() as conn:
        # Its next event is there already: a duplicate key.
        await conn.execute(
            text(
                "INSERT INTO journal (order_id, seq, id, source, type, time, data, cause) "
                "VALUES (:order, 2, 'x', 'test', 'test', now(), '{}', 'test')"
            ),
            {"order": broken},
        )

    async with _busy(bench, reserve):
        calls = await _begun(reserve(_request(bench, order)) for order in (fresh[0], broken, *fresh[1:]))
    answers = await asyncio.gather(*calls, return_exceptions=True)

    assert [type(answer).__name__ for answer in answers] == ["ActionDone", "IntegrityError"] + ["ActionDone"] * 4
    assert await bench.rows("SELECT order_id FROM reservations ORDER BY 1") == [(order,) for order in sorted(fresh)]
    assert await bench.rows("SELECT count(*) FROM idempotency WHERE key = 'k'") == [(5,)]
    assert await bench.rows("SELECT seq FROM orders WHERE id = :order", order=broken) == [(1,)]
    assert await bench.reserved() == {"all X": 5}
    assert await bench.counters_agree()


async def test_an_order_that_somebody_holds_holds_up_nobody(bench, reserve: Run) -> None:
    """While another transaction has an order's row, the others of its group are answered; it follows."""
    await bench.load({"A": {"X": 100}})
    held, *free = [await bench.place({"X": 1}) for _ in range(4)]

    async with _busy(bench, reserve):
        calls = await _begun(reserve(_request(bench, order)) for order in (held, *free))
        holder = await bench.engine.connect()
        await holder.execute(text("SELECT 1 FROM orders WHERE id = :order FOR UPDATE"), {"order": held})
    await asyncio.gather(*calls[1:])
    assert not calls[0].done()
    await holder.rollback()
    await holder.close()
    done = await calls[0]

    assert done.output["outcome"] == "reserved"
    assert await bench.reserved() == {"all X": 4}


async def test_a_deadlock_is_tried_again_without_a_trace(bench, reserve: Run) -> None:
    """A transaction that PostgreSQL breaks off in favour of another runs again, and nobody hears of it."""
    await bench.load({"A": {"X": 100}})
    orders = [await bench.place({"X": 1}) for _ in range(4)]
    broken: list[str] = []

    def break_off(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "INSERT INTO reservations" in statement and len(broken) < 2:
            broken.append(statement)
            raise DBAPIError(statement, None, _Deadlock())

    event.listen(bench.engine.sync_engine, "before_cursor_execute", break_off)
    answers = await asyncio.gather(*(reserve(_request(bench, order)) for order in orders))
    event.remove(bench.engine.sync_engine, "before_cursor_execute", break_off)

    assert len(broken) == 2
    assert [answer.output["outcome"] for answer in answers] == ["reserved"] * 4
    assert await bench.reserved() == {"all X": 4}
    assert await bench.rows("SELECT count(*) FROM reservations") == [(4,)]
    assert await bench.counters_agree()


async def test_counters_of_backorders_are_locked_in_one_order(bench, reserve: Run) -> None:
    """A group whose first order was sold Y ahead and whose second X asks for X first, as whoever else holds X does."""
    await bench.load({"A": {"X": 0, "Y": 0}})
    async with bench.engine.begin() as conn:
        policy = {"channel": "web", "backorder": True}
        await load_world(conn, World.model_validate({"sell_ahead": [policy]}), bench.now)
    orders = [await bench.place({sku: 1}) for sku in ("Y", "X")]
    async with bench.engine.begin() as conn:
        stock = [{"location": "A", "sku": sku, "on_hand": 3} for sku in ("X", "Y")]
        await load_world(conn, World.model_validate({"stock": stock}), bench.now)
    take = text("SELECT 1 FROM backorders WHERE sku = :sku FOR UPDATE NOWAIT")

    async with bench.engine.connect() as other:
        async with _busy(bench, reserve):
            calls = await _begun(reserve(_request(bench, order)) for order in orders)
            await other.execute(take, {"sku": "X"})
        await _somebody_waits(bench)
        # The group does not hold Y while it waits for X: whoever holds X gets it.
        await other.execute(take, {"sku": "Y"})
        await other.commit()
    answers = await asyncio.gather(*calls)

    assert [answer.output["outcome"] for answer in answers] == ["reserved", "reserved"]
    assert await bench.rows("SELECT sku, quantity FROM backorders ORDER BY sku") == [("X", 0), ("Y", 0)]


async def _somebody_waits(bench) -> None:
    """Return when a transaction waits for a row that another one has."""
    while not await bench.rows("SELECT 1 FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110  # a row tells
        await asyncio.sleep(0)


class _Deadlock(Exception):
    sqlstate = "40P01"


@asynccontextmanager
async def _busy(bench, reserve: Run) -> AsyncGenerator[None]:
    """Keep a reservation under way until the block ends, when it is given up: what comes meanwhile is a group."""
    order = await bench.place({"X": 1})
    async with bench.engine.connect() as holder:
        await holder.execute(text("SELECT 1 FROM orders WHERE id = :order FOR UPDATE"), {"order": order})
        (call,) = await _begun([reserve(_request(bench, order))])
        yield
        call.cancel()
        await asyncio.wait([call])
        await holder.rollback()


async def _begun(calls: Iterable[Awaitable[ActionDone]]) -> list[asyncio.Task[ActionDone]]:
    """Return *calls* as tasks that have come to where they wait."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks
