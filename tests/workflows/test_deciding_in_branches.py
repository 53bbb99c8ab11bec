"""Deciding about flows that wait in several places at once, or inside of one another."""

from collections.abc import AsyncIterator, Sequence

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.settings import Settings
from orderloom.stack import Options, Stack
from tests.workflows.shop import Shop, open_shop
from tests.workflows.undoing import stock, units

BRANCHES = """
document: {dsl: 1.0.3, namespace: test, name: branches, version: 1.0.0}
evaluate: {language: cel}
schedule: {on: {one: {with: {type: order.placed}}}}
do:
  - both:
      fork:
        branches:
          - left:
              do:
                - promise: {call: create-reservation}
                - invoice: {call: create-invoice, with: {fulfillment_order: nowhere}}
          - right:
              do:
                - plan: {call: schedule-routing, with: {reason: order.placed}}
                - route: {call: find-routes, with: {schedule: 9}}
  - over: {emit: {event: {with: {type: test.over, data: {}}}}}
"""
"""Two branches, and both fail after something was done."""


@pytest.fixture
def flows() -> Sequence[str]:
    """Return the flow whose branches fail."""
    return (BRANCHES,)


@pytest.fixture
async def stack(
    settings: Settings, options: Options, engine: AsyncEngine, flows: Sequence[str]
) -> AsyncIterator[Stack]:
    """Return a stack whose shop has no other flows than the test's."""
    await open_shop(engine, flows, shipped=False)
    async with Stack.start(settings, options) as stack:
        yield stack


async def _both(shop: Shop) -> tuple[str, dict[str, str]]:
    order = await shop.place()
    found = await shop.exceptions(order, 2)
    return order, {it["task"].rpartition("/")[2]: it["id"] for it in found}


async def test_each_branch_waits_and_is_decided_about_by_itself(shop: Shop) -> None:
    """One is gone on with while the other still waits; the flow is over when both are."""
    order, at = await _both(shop)

    await shop.resolve(at["route"], "retry", input={"schedule": 1})
    await shop.until_journal(order, "routing.attempted")
    (left,) = await shop.exceptions(order)
    assert left["id"] == at["invoice"]
    assert await shop.outcomes(order, "branches") == ["faulted"]
    assert "test.over" not in await shop.journal(order)

    await shop.resolve(at["invoice"], "skip", output={"invoice": "none", "total": 0})
    await shop.until_journal(order, "test.over")
    await shop.until_quiet(order)
    assert await shop.outcomes(order, "branches") == ["completed"]


async def test_undoing_from_one_branch_undoes_both(shop: Shop) -> None:
    """What the other branch has done is undone too; it waits no more, and there is nothing left to decide."""
    order, at = await _both(shop)

    await shop.resolve(at["invoice"], "compensate")

    journal = await shop.until_journal(order, "flow.compensated")
    await shop.until_quiet(order)
    await shop.exceptions(order, 0)
    assert (journal.count("routing.withdrawn"), journal.count("test.over")) == (1, 0)
    assert await units(shop, order) == {"open": 2}
    assert {reserved for *_, reserved in await stock(shop)} == {0}
    assert (await shop.get(f"/v1/exceptions/{at['route']}"))["status"] == "voided"
    late = await shop.decide(at["route"], "retry")
    assert (late.status_code, late.json()["code"]) == (409, "exception.closed")
    assert await shop.outcomes(order, "branches") == ["compensated"]
    assert await shop.findings() == []


@pytest.mark.usefixtures("short_runs")
async def test_branches_wait_across_runs(shop: Shop) -> None:
    """In another run each branch waits at the same exception as before."""
    order, at = await _both(shop)
    await shop.until_quiet(order)

    await shop.resolve(at["route"], "retry")
    await shop.until_journal(order, "exception.raised", 3)
    await shop.until_quiet(order)
    assert at["invoice"] in [it["id"] for it in await shop.exceptions(order, 2)]
    await shop.resolve(at["invoice"], "compensate")

    await shop.until_journal(order, "flow.compensated")
    await shop.exceptions(order, 0)
    assert await units(shop, order) == {"open": 2}
