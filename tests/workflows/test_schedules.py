"""`orderloom orders schedules` and its like: what is planned is seen, moved, tried now and given up."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from orderloom.cli.orders import orders_app
from orderloom.domain.routing_policy import RoutingPolicy
from tests.workflows.shop import Shop

SCARCE = 1_001
"""Lamps: one more than there are."""


@pytest.fixture
def policy() -> dict[str, Any]:
    """Let a minute pass between attempts."""
    return {"routing": RoutingPolicy(backoff=60, max_attempts=9)}


async def _orders(capsys: pytest.CaptureFixture[str], shop: Shop, *words: str) -> tuple[int, str, str]:
    """Run ``orderloom orders`` and return its exit status, stdout and stderr."""

    def call() -> int:
        try:
            orders_app([*words, "--api", shop.stack.api_url], exit_on_error=False, result_action="return_value")
        except SystemExit as left:
            return int(left.code or 0)
        return 0

    status = await asyncio.to_thread(call)
    told = capsys.readouterr()
    return status, told.out, told.err


async def _waiting(shop: Shop) -> str:
    """Place an order of more than there is, and return it once its next attempt is planned."""
    order = await shop.place(lamps=SCARCE)
    await shop.until_journal(order, "routing.scheduled", 2)
    await shop.until_quiet(order)
    return order


async def _rows(capsys: pytest.CaptureFixture[str], shop: Shop, *words: str) -> list[list[str]]:
    status, out, _ = await _orders(capsys, shop, "schedules", *words)
    assert status == 0
    return [line.split() for line in out.splitlines()[1:]]


async def test_schedules_are_seen_by_order_and_by_date(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """One order's are listed by number, those of all orders by date; status and date choose, and --json has it all."""
    first, second = await _waiting(shop), await _waiting(shop)
    at = {(row[0], row[1]): row for row in [*await _rows(capsys, shop, first), *await _rows(capsys, shop, second)]}

    assert [(key, row[2]) for key, row in at.items()] == [
        ((first, "1"), "completed"),
        ((first, "2"), "scheduled"),
        ((second, "1"), "completed"),
        ((second, "2"), "scheduled"),
    ]
    assert await _rows(capsys, shop) == [at[first, "2"], at[second, "2"]]
    assert await _rows(capsys, shop, "--status", "completed") == [at[first, "1"], at[second, "1"]]
    assert await _rows(capsys, shop, first, "--status", "scheduled") == [at[first, "2"]]
    status, out, _ = await _orders(capsys, shop, "schedules", "--due-before", "2026-01-05T09:00")
    assert (status, out) == (0, "no routing schedule is as asked for\n")
    status, out, _ = await _orders(capsys, shop, "schedules", second, "--json")
    assert status == 0
    listed = json.loads(out)
    assert [(one["order"], one["number"], one["status"], one["ended_at"] is None) for one in listed] == [
        (second, 1, "completed", False),
        (second, 2, "scheduled", True),
    ]
    page = await shop.get("/v1/routing-schedules?limit=1")
    assert [one["order"] for one in page["items"]] == [first]
    after = await shop.get(page["next"])
    assert [one["order"] for one in after["items"]] == [second]
    assert (await shop.get(after["next"]))["items"] == []
    refused = await _orders(capsys, shop, "schedules", "999999")
    assert (refused[0], "order.unknown" in refused[2]) == (1, True)


async def test_a_schedule_gets_another_date(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """It is tried no earlier than its new date says; one that is over keeps its date, and nothing is journaled."""
    order = await _waiting(shop)
    later = (shop.stack.clock.now() + timedelta(days=2)).replace(microsecond=0)

    status, out, _ = await _orders(capsys, shop, "reschedule", order, "2", f"{later:%Y-%m-%dT%H:%M:%S%z}")

    assert status == 0
    assert " is on record, as number " in out
    await shop.until_journal(order, "routing.rescheduled")
    await shop.until_quiet(order)
    assert (await _rows(capsys, shop, order))[1][2:5] == ["scheduled", f"{later:%Y-%m-%d}", f"{later:%H:%M:%S}"]
    before = await shop.journal(order)
    frozen = await _orders(capsys, shop, "reschedule", order, "1", f"{later:%Y-%m-%dT%H:%M:%S%z}")
    unknown = await _orders(capsys, shop, "reschedule", order, "3", f"{later:%Y-%m-%dT%H:%M:%S%z}")
    assert [(status, err.split(": ")[1]) for status, _, err in (frozen, unknown)] == [
        (1, "routing.schedule_frozen"),
        (1, "not_found"),
    ]
    assert await shop.journal(order) == before


async def test_a_schedule_is_tried_now(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """The planned attempt is made at once, once; the same key again does nothing."""
    order = await _waiting(shop)

    for _ in range(2):
        status, _, _ = await _orders(capsys, shop, "route", order, "--key", "now")
        assert status == 0

    journal = await shop.until_journal(order, "routing.scheduled", 3)
    assert (journal.count("routing.attempted"), journal.count("routing.rescheduled")) == (2, 1)
    assert [row[1:3] for row in await _rows(capsys, shop, order)] == [
        ["1", "completed"],
        ["2", "completed"],
        ["3", "scheduled"],
    ]


async def test_a_schedule_is_given_up(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """It is never tried, no person is told, and the order is routed again only when that is asked for."""
    order = await _waiting(shop)

    status, out, _ = await _orders(capsys, shop, "abandon", order, "2")
    await shop.until_journal(order, "routing.abandoned")
    await shop.until_quiet(order)
    again = await _orders(capsys, shop, "abandon", order, "2")

    assert (status, out.split(" is on record")[0]) == (0, "giving schedule 2 up")
    assert (again[0], again[2].split(": ")[1]) == (1, "routing.schedule_frozen")
    assert [row[1:3] for row in await _rows(capsys, shop, order)] == [["1", "completed"], ["2", "abandoned"]]
    assert (await shop.get(f"/v1/exceptions?order={order}&status=all"))["items"] == []
    assert await shop.outcomes(order, "fulfilment") == ["completed"]
    assert (await shop.journal(order)).count("routing.attempted") == 1
    assert await shop.findings() == []

    status, _, _ = await _orders(capsys, shop, "route", order)
    assert status == 0
    await shop.until_journal(order, "routing.attempted", 2)
