"""Cancel and compensate: what a flow has done is undone, the latest call first, whatever dies meanwhile."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.settings import Settings
from orderloom.stack import Options, Stack
from tests.workflows.shop import Shop, open_shop
from tests.workflows.test_idempotency import Mishaps
from tests.workflows.undoing import PLAN, UNDONE, WHOLE, is_undone, money, units


@pytest.fixture
async def stack(
    settings: Settings, options: Options, engine: AsyncEngine, policy: dict[str, Any]
) -> AsyncIterator[Stack]:
    """Return a stack whose shop has no other flow than the one that fails."""
    await open_shop(engine, (WHOLE,), shipped=False, **policy)
    async with Stack.start(settings, options) as stack:
        yield stack


@pytest.fixture
def mishaps() -> Mishaps:
    """Return mishaps that the tests may put around the worker's activities."""
    return Mishaps()


@pytest.fixture
def lossy() -> bool:
    """Return whether the test wants mishaps."""
    return False


@pytest.fixture
def options(mishaps: Mishaps, lossy: bool) -> Options:
    """Start the stack, with mishaps around its activities where a test asks for them."""
    plain = Options(webhook_lag=0.0, patience=20.0)
    return replace(plain, wrap=mishaps.around) if lossy else plain


async def _failed(shop: Shop) -> tuple[str, Any]:
    order = await shop.place(authorised=False)
    (exception,) = await shop.exceptions(order)
    return order, exception


def _without_repetitions(journal: Sequence[str]) -> Counter[str]:
    return Counter(type for type in journal if type != "payment.updated")


async def test_everything_is_undone(shop: Shop) -> None:
    """Stock and money stand as if the flow had never run, its documents are void, and the doctor finds nothing."""
    order, exception = await _failed(shop)
    assert await units(shop, order) == {"allocated": 2}
    assert await money(shop, order) == {"customer": -9_500, "invoiced": 9_500, "gateway": -9_500, "applied": 9_500}
    planned = exception["waiting"]["compensations"]
    assert [(it["task"], it["action"], it["undone_by"]) for it in planned] == PLAN

    await shop.resolve(exception["id"], "compensate")

    await shop.until_journal(order, "flow.compensated")
    await shop.until_quiet(order)
    await is_undone(shop, order)
    assert _without_repetitions(await shop.journal(order)) == UNDONE
    assert await shop.outcomes(order, "whole") == ["compensated"]
    await shop.exceptions(order, 0)


async def test_the_result_is_on_record(shop: Shop) -> None:
    """The exception says what was decided, and what became of each call."""
    order, exception = await _failed(shop)

    await shop.resolve(exception["id"], "compensate")
    await shop.until_journal(order, "flow.compensated")

    seen = await shop.get(f"/v1/exceptions/{exception['id']}")
    assert seen["status"] == "resolved"
    assert seen["decision"] == {"exception": exception["id"], "kind": "compensate"}
    assert [(it["task"], it["action"], it["by"]) for it in seen["result"]["calls"]] == PLAN
    outcomes = ["undone" if by else "final" for _, _, by in PLAN]
    assert [it["outcome"] for it in seen["result"]["calls"]] == outcomes
    [(_, told)] = await shop.events(order, "flow.compensated")
    assert told == {"exception": exception["id"], "undone": 6, "skipped": 0, "final": 1}


@pytest.mark.parametrize("lossy", [True])
async def test_every_answer_lost_once_undoes_nothing_twice(shop: Shop, mishaps: Mishaps) -> None:
    """A worker that dies after each commit, before history has it, undoes every call once."""
    order, exception = await _failed(shop)

    await shop.resolve(exception["id"], "compensate")

    await shop.until_journal(order, "flow.compensated")
    await shop.until_quiet(order)
    await is_undone(shop, order)
    assert _without_repetitions(await shop.journal(order)) == UNDONE
    undoing = {
        "give-back-payment@1.prepare": 2,
        "give-back-payment@1.settle": 1,
        "void-invoice@1": 1,
        "cancel-fulfillment-orders@1": 1,
        "withdraw-routing@1": 1,
        "release-reservation@1": 1,
        "record-compensation@1": 1,
    }
    assert {name: mishaps.lost[name] for name in undoing} == undoing


async def test_a_compensation_that_fails_waits_for_an_operator(shop: Shop) -> None:
    """It is an exception of its own; nothing before it is undone until somebody has it tried again."""
    order, exception = await _failed(shop)
    await shop.fault({"kind": "decline", "operation": "refund", "code": "account_closed"})

    await shop.resolve(exception["id"], "compensate")

    (second,) = await shop.exceptions(order)
    assert (second["code"], second["task"], second["waiting"]["undoing"]) == ("payment.declined", "/do/6/cover", True)
    assert await units(shop, order) == {"allocated": 2}
    assert "invoice.voided" not in await shop.journal(order)
    refused = await shop.decide(second["id"], "goto", task="reserve")
    assert (refused.status_code, refused.json()["code"]) == (409, "exception.undoing")

    await shop.resolve(second["id"], "retry")

    await shop.until_journal(order, "flow.compensated")
    await shop.until_quiet(order)
    await is_undone(shop, order)
    assert (await shop.journal(order)).count("payment.refunded") == 1


async def test_a_compensation_may_be_left_out(shop: Shop) -> None:
    """A location that has begun cannot be stopped: the operator leaves that call as it is, the rest is undone."""
    order, exception = await _failed(shop)
    await shop.report(order, "accepted")
    await shop.until_journal(order, "fulfillment.accepted")
    await shop.report(order, "picked")
    await shop.until_journal(order, "fulfillment.picked")

    await shop.resolve(exception["id"], "compensate")
    (second,) = await shop.exceptions(order)
    assert second["code"] == "fulfillment_order.under_way"
    await shop.resolve(second["id"], "skip")

    await shop.until_journal(order, "flow.compensated")
    await shop.until_quiet(order)
    assert await units(shop, order) == {"allocated": 2}
    assert await money(shop, order) == {"customer": -9_500, "ordered": 9_500, "gateway": -9_500, "refunded": 9_500}
    assert await shop.findings() == []
    seen = await shop.get(f"/v1/exceptions/{exception['id']}")
    assert [it["outcome"] for it in seen["result"]["calls"]] == [
        "undone",
        "undone",
        "skipped",
        "final",
        "undone",
        "undone",
        "undone",
    ]
