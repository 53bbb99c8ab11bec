"""Exceptions that outlive runs of the workflow, and a Temporal that has lost everything."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from orderloom.bootstrap.servers import Connections
from orderloom.cli.orders import revive_all
from orderloom.contracts.queues import workflow_id
from orderloom.settings import Settings
from orderloom.stack import Options, Stack
from tests.workflows.shop import Shop, open_shop
from tests.workflows.test_deciding import WAITING
from tests.workflows.test_idempotency import Mishaps
from tests.workflows.undoing import UNDONE, WHOLE, is_undone

HASTY = """
document: {dsl: 1.0.3, namespace: test, name: hasty, version: 1.0.0}
evaluate: {language: cel}
schedule: {on: {one: {with: {type: order.placed}}}}
do:
  - route: {call: find-routes, with: {schedule: 1}}
  - plan: {call: schedule-routing, with: {reason: order.placed}}
  - fail: {call: create-invoice, with: {fulfillment_order: nowhere}}
"""
"""A flow that routes before it has planned to."""


@pytest.fixture
def flows() -> Sequence[str]:
    """Return the flow that waits at its second task."""
    return (WAITING,)


@pytest.fixture
def lossy() -> bool:
    """Return whether the test wants every answer lost once."""
    return False


@pytest.fixture
def options(lossy: bool) -> Options:
    """Start the stack, with mishaps around its activities where a test asks for them."""
    plain = Options(webhook_lag=0.0, patience=20.0)
    return replace(plain, wrap=Mishaps().around) if lossy else plain


@pytest.fixture
async def stack(
    settings: Settings, options: Options, engine: AsyncEngine, flows: Sequence[str], policy: dict[str, Any]
) -> AsyncIterator[Stack]:
    """Return a stack whose shop has no other flows than the test's."""
    await open_shop(engine, flows, shipped=False, **policy)
    async with Stack.start(settings, options) as stack:
        yield stack


async def _runs(client: Client, order: str) -> int:
    return len([one async for one in client.list_workflows(f"WorkflowId = '{workflow_id(order)}'")])


async def _lose(shop: Shop, order: str) -> None:
    """Let Temporal lose the order, and start it again from PostgreSQL."""
    await shop.until_quiet(order)
    await shop.stack.client.get_workflow_handle(workflow_id(order)).terminate("lost")
    stack = shop.stack
    connections = Connections(
        engine=stack.engine, keys=stack.engine, vault=stack.vault, client=stack.client, addresses=stack.addresses
    )
    assert await revive_all(connections) == 1
    await shop.until_quiet(order)


@pytest.mark.usefixtures("short_runs")
@pytest.mark.parametrize("lossy", [pytest.param(False, id="calm"), pytest.param(True, id="lossy")])
async def test_an_exception_waits_across_runs(shop: Shop) -> None:
    """Failing three times, each in another run, it is three exceptions and no more; then the flow goes on."""
    order = await shop.place()
    for number in (1, 2, 3):
        await shop.until_journal(order, "exception.raised", number)
        await shop.until_quiet(order)
        (exception,) = await shop.exceptions(order)
        assert (exception["id"], exception["attempts"]) == (f"{order}-X{number}", number)
        if number < 3:
            await shop.resolve(exception["id"], "retry")

    await shop.resolve(exception["id"], "retry", input={"schedule": 1})

    journal = await shop.until_journal(order, "test.over")
    assert (journal.count("exception.raised"), journal.count("routing.attempted")) == (3, 1)

    async def several() -> int | None:
        runs = await _runs(shop.stack.client, order)
        return runs if runs >= 2 else None

    assert await shop.until(several, lambda: "a second run") >= 2


@pytest.mark.usefixtures("short_runs")
@pytest.mark.parametrize("flows", [(WHOLE,)])
async def test_undoing_goes_on_in_new_runs(shop: Shop) -> None:
    """With a compensation that fails on the way, and a new run while it waits, all is undone once."""
    order = await shop.place(authorised=False)
    (exception,) = await shop.exceptions(order)
    await shop.until_quiet(order)
    await shop.fault({"kind": "decline", "operation": "refund", "code": "account_closed"})
    await shop.resolve(exception["id"], "compensate")
    (second,) = await shop.exceptions(order)
    await shop.until_quiet(order)

    await shop.resolve(second["id"], "retry")

    await shop.until_journal(order, "flow.compensated")
    await shop.until_quiet(order)
    await is_undone(shop, order)
    journal = Counter(type for type in await shop.journal(order) if type not in {"payment.updated", "payment.declined"})
    again = {"exception.raised": 2, "exception.resolve.requested": 2, "exception.resolved": 2}
    assert journal == UNDONE | Counter(again)


async def test_a_revived_order_waits_where_it_waited(shop: Shop) -> None:
    """Started from PostgreSQL, the flow waits at the same exception, and hears the decision."""
    order = await shop.place()
    before = await shop.exceptions(order)

    await _lose(shop, order)
    assert await shop.exceptions(order) == before
    await shop.resolve(before[0]["id"], "retry", input={"schedule": 1})

    journal = await shop.until_journal(order, "test.over")
    assert journal.count("exception.raised") == 1
    assert journal.count("routing.scheduled") == 1


async def test_a_revived_order_knows_what_was_decided(shop: Shop) -> None:
    """A decision of before is taken again, and does nothing twice: the flow goes on to where it waits now."""
    order = await shop.place()
    (first,) = await shop.exceptions(order)
    await shop.resolve(first["id"], "goto", task="plan", input={})
    await shop.until_journal(order, "exception.raised", 2)
    (second,) = await shop.exceptions(order)
    before = await shop.journal(order)

    await _lose(shop, order)

    assert await shop.journal(order) == before
    assert await shop.exceptions(order) == [second]
    await shop.resolve(second["id"], "skip", output={"outcome": "NO_STOCK", "attempt": 7})
    await shop.until_journal(order, "test.over")


@pytest.mark.parametrize("flows", [(HASTY,)])
async def test_a_call_that_failed_is_not_made_again_when_its_order_is_revived(shop: Shop) -> None:
    """Skipped by an operator, it would succeed now: revived, the order does as was decided, and searches no route."""
    order = await shop.place()
    (first,) = await shop.exceptions(order)
    await shop.resolve(first["id"], "skip", output={"outcome": "NO_STOCK", "attempt": 0})
    await shop.until_journal(order, "exception.raised", 2)
    waiting, before = await shop.exceptions(order), await shop.journal(order)

    await _lose(shop, order)

    assert await shop.journal(order) == before
    assert "routing.attempted" not in before
    assert await shop.exceptions(order) == waiting


@pytest.mark.parametrize("flows", [(WHOLE,)])
async def test_an_order_lost_while_it_is_undone_is_undone(shop: Shop) -> None:
    """Revived where a compensation waits for an operator, it goes on undoing from there."""
    order = await shop.place(authorised=False)
    (exception,) = await shop.exceptions(order)
    await shop.fault({"kind": "decline", "operation": "refund", "code": "account_closed"})
    await shop.resolve(exception["id"], "compensate")
    (second,) = await shop.exceptions(order)

    await _lose(shop, order)
    assert await shop.exceptions(order) == [second]
    await shop.resolve(second["id"], "retry")

    await shop.until_journal(order, "flow.compensated")
    await shop.until_quiet(order)
    await is_undone(shop, order)
    assert (await shop.journal(order)).count("payment.refunded") == 1
