"""Running ahead changes how many transactions an order takes, and nothing else."""

import re
from typing import Any, cast

import pytest
from sqlalchemy import select

from activities import allocating, transaction
from orderloom.domain.inventory import StockMoved
from orderloom.domain.model import Json
from orderloom.persistence.tables.base import metadata
from orderloom.stack import Options
from tests.workflows.shop import Shop

TABLES = (
    "journal",
    "unit_entries",
    "money_entries",
    "reservations",
    "routing_schedules",
    "routing_attempts",
    "fulfillment_orders",
    "invoices",
    "payment_intents",
    "idempotency",
    "flow_instances",
    "process_exceptions",
)
OF_THE_MOMENT = {
    "now",
    "time",
    "at",
    "created_at",
    "scheduled_at",
    "ended_at",
    "settled_at",
    "closed_at",
    "due",
    "seen",
    "seconds",
} | {
    "id",
    "input_hash",
    "reference",
    "external_id",
}
"""What differs from one order to the next: instants, how long a search took and the stock that it saw, and names."""


_DIGEST = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,}|W-\d+")
"""Names made of an intake's, and the channel's own."""


@pytest.fixture
def options() -> Options:
    """Let the webhook come well after the answer: which of them is first is no matter of these tests."""
    return Options(webhook_lag=1.5, patience=20.0)


async def rows_of(shop: Shop, order: str) -> dict[str, list[str]]:
    """Return all that stands in the database of an order, without what differs from one order to the next."""
    found: dict[str, list[str]] = {}
    async with shop.stack.engine.connect() as conn:
        for table in (metadata.tables[name] for name in TABLES):
            rows = (await conn.execute(select(table).where(table.c.order_id == order))).mappings()
            found[table.name] = sorted(repr(_comparable(dict(row), order)) for row in rows)
    return found


def _comparable(value: Any, order: str) -> Json:
    match value:
        case dict():
            fields = cast("dict[str, Any]", value).items()
            return {key: _comparable(each, order) for key, each in fields if key not in OF_THE_MOMENT}
        case list():
            return [_comparable(each, order) for each in cast("list[Any]", value)]
        case _:
            return _DIGEST.sub("DIGEST", repr(value).replace(order, "ORDER"))


async def test_an_order_comes_out_the_same_wherever_a_transaction_stops_running_ahead(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no call done ahead, one, two, up to five, or all: the same journal, ledgers, documents and answers."""
    whole = await rows_of(shop, await shop.fulfilled())
    assert len(whole["journal"]) == 13
    for most in range(6):
        monkeypatch.setattr(transaction, "MOST_AHEAD", most)
        assert await rows_of(shop, await shop.fulfilled()) == whole, f"with {most} ahead"


class _Stolen:
    """Takes the stock away from under an allocation, so often."""

    def __init__(self, times: int) -> None:
        self.left = times
        self._change_held = allocating.change_held

    async def __call__(self, *args: Any, **kwargs: Any) -> None:
        if self.left:
            self.left -= 1
            raise StockMoved("somebody else was faster", place="vienna", sku="mug")
        await self._change_held(*args, **kwargs)


async def test_a_call_that_fails_ahead_is_made_again_by_itself(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done before it in the transaction happens once; the failure, which is gone by then, leaves nothing."""
    stolen = _Stolen(times=1)
    monkeypatch.setattr(allocating, "change_held", stolen)

    order = await shop.fulfilled()

    assert stolen.left == 0
    assert (await shop.journal(order)).count("routing.attempted") == 1
    assert await shop.exceptions(order, count=0) == []
    assert await shop.findings() == []


async def test_a_call_that_keeps_failing_fails_for_the_flow_as_it_would_alone(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flow sees the error once, whether the call was first made ahead or not, and goes on in the same way."""
    seen: list[list[str]] = []
    for most, times in ((0, 1), (transaction.MOST_AHEAD, 2)):
        monkeypatch.setattr(transaction, "MOST_AHEAD", most)
        stolen = _Stolen(times)
        monkeypatch.setattr(allocating, "change_held", stolen)
        order = await shop.fulfilled()
        assert stolen.left == 0
        seen.append(await shop.journal(order))

    assert seen[0] == seen[1]
    assert seen[0].count("routing.attempted") == 2
    assert seen[0].count("exception.raised") == 0
