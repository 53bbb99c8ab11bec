"""What is lost on the way and asked again changes nothing."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

import pytest
from sqlalchemy import func, select

from activities.asking import Asking
from activities.record import record_delivery
from orderloom.contracts.messages import Context, Delivery
from orderloom.contracts.queues import RECORD
from orderloom.persistence.tables.intake import intake
from orderloom.persistence.tables.ledgers import money_entries
from orderloom.persistence.tables.payments import payment_intents
from orderloom.stack import Activities, Options
from tests.workflows.shop import Shop
from worker.relay import Relay

JOURNAL = {
    "order.placed": 1,
    "stock.reserved": 1,
    "order.released": 1,
    "routing.scheduled": 1,
    "routing.attempted": 1,
    "fulfillment.created": 1,
    "fulfillment.accepted": 1,
    "fulfillment.picked": 1,
    "fulfillment.shipped": 1,
    "order.fulfilled": 1,
    "invoice.created": 1,
    "payment.captured": 1,
    "payment.updated": 1,
}


class Mishaps:
    """Every transaction is committed, and its answer lost, once for each name and key."""

    def __init__(self) -> None:
        self.lost: Counter[str] = Counter()
        self._seen: set[str] = set()

    def around(self, activities: Activities) -> Activities:
        """Return the activities with mishaps around them."""
        return [self._around(one) for one in activities]

    def _around(self, activity: Callable[..., Any]) -> Callable[..., Any]:
        name = getattr(activity, "__temporal_activity_definition").name  # what the decorator left

        @wraps(activity)
        async def mishap(request: Any) -> Any:
            done = await activity(request)
            key = f"{name} {request.model_dump_json(exclude={'context'})}"
            if key not in self._seen:
                self._seen.add(key)
                self.lost[name] += 1
                raise RuntimeError("the answer was lost")
            return done

        return mishap


@pytest.fixture
def mishaps() -> Mishaps:
    """Return the mishaps of the test's worker."""
    return Mishaps()


@pytest.fixture
def options(mishaps: Mishaps) -> Options:
    """Start the stack with mishaps around its activities."""
    return Options(webhook_lag=0.0, patience=20.0, wrap=mishaps.around)


async def _count(shop: Shop, table: Any) -> int:
    async with shop.stack.engine.connect() as conn:
        return (await conn.scalar(select(func.count()).select_from(table))) or 0


async def _fulfilled(shop: Shop) -> str:
    order = await shop.place()
    await shop.until_journal(order, "fulfillment.created")
    await shop.fulfil(order)
    await shop.until_journal(order, "payment.updated")
    await shop.until_journal(order, "payment.captured")
    await shop.until_quiet(order)
    return order


@pytest.mark.parametrize("at_once", [True, False], ids=["asked at once", "asked outside"])
async def test_every_answer_lost_once_changes_nothing(
    shop: Shop, mishaps: Mishaps, monkeypatch: pytest.MonkeyPatch, *, at_once: bool
) -> None:
    """A worker that dies after each commit, before history has it, journals, captures and enters nothing twice."""
    if not at_once:
        monkeypatch.setattr(Asking, "_may_ask", lambda *_: False)
    order = await _fulfilled(shop)

    assert Counter(await shop.journal(order)) == JOURNAL
    assert await _count(shop, payment_intents) == 1
    assert mishaps.lost[RECORD] >= 2
    assert mishaps.lost["ensure-funds@1.settle"] == (0 if at_once else 1)


async def test_a_request_sent_twice_places_one_order(shop: Shop) -> None:
    """The same key and body is the same order; nothing happens twice."""
    order = await shop.place()
    await shop.until_quiet(order)
    before = await shop.journal(order), await _count(shop, money_entries)

    async with shop.stack.engine.connect() as conn:
        row = (await conn.execute(select(intake.c.id, intake.c.type))).one()
    again = await shop.stack.deliver(row.id)
    await shop.until_quiet(order)

    assert again is not None
    assert again.status == "accepted"
    assert (await shop.journal(order), await _count(shop, money_entries)) == before


async def test_a_delivery_that_only_postgres_knows_of_is_not_lost(shop: Shop) -> None:
    """A delivery committed and then lost by worker and server: its flow runs as soon as a different event comes."""
    order = await shop.place()
    await shop.until_journal(order, "fulfillment.created")
    await shop.until_quiet(order)
    await _commit_only(shop, order, {"id": "lost", "type": "shipped"})
    assert "invoice.created" not in await shop.journal(order)

    answer = await shop.post(
        f"/v1/orders/{order}/return-items", {"items": [{"line": "a", "quantity": 1, "reason": "broken"}]}
    )

    assert answer.status_code < 300, answer.text
    journal = await shop.until_journal(order, "payment.captured")
    assert journal.count("invoice.created") == 1
    assert journal.count("fulfillment.shipped") == 1


async def test_a_new_relay_repeats_what_worker_and_server_lost_together(shop: Shop) -> None:
    """A delivery committed and then lost needs no other event: the next leading relay brings it again."""
    order = await shop.place()
    await shop.until_journal(order, "fulfillment.created")
    await shop.until_quiet(order)
    await _commit_only(shop, order, {"id": "lost", "type": "shipped"})
    relay = Relay(shop.stack.engine, shop.stack.vault, shop.stack.courier, shop.stack.clock)

    assert await relay.repeat_lately() == 1

    journal = await shop.until_journal(order, "payment.captured")
    await shop.until_quiet(order)
    assert journal.count("invoice.created") == 1
    assert await relay.repeat_lately() == 0


async def test_a_leading_relay_repeats_what_the_server_loses_under_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A delivery committed and then lost by the server alone is brought again by the relay that leads all the time."""
    monkeypatch.setattr("worker.relay.SETTLED", timedelta(0))
    monkeypatch.setattr("worker.relay.REPEATING", 0.05)
    order = await shop.place()
    await shop.until_journal(order, "fulfillment.created")
    await shop.until_quiet(order)

    await _commit_only(shop, order, {"id": "lost", "type": "shipped"})

    journal = await shop.until_journal(order, "payment.captured")
    assert journal.count("invoice.created") == 1
    assert journal.count("fulfillment.shipped") == 1


async def _commit_only(shop: Shop, order: str, report: dict[str, Any]) -> None:
    """Have an event recorded for the workflow, as its worker would, while the workflow never hears of it."""
    given = await shop.stack.courier.start_input(order, None)

    async def nobody(*_: Any, **__: Any) -> None:
        return None

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(shop.stack.courier), "__call__", nobody)
        await shop.post(f"/v1/fulfillment-orders/{order}-F1/events", report)
        query = select(intake.c.id, intake.c.type).where(intake.c.type == "fulfillment.shipped")
        async with shop.stack.engine.connect() as conn:
            row = (await conn.execute(query)).one()
        context = Context(order_id=order, now=shop.stack.clock.now(), known_flows=[], pin=given.pin)
        delivery = Delivery(intake_id=row.id, type=row.type)
        await record_delivery(shop.stack.engine, shop.stack.vault, context, delivery)
