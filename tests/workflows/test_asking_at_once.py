"""A gateway that is quick is asked between two transactions of one activity; whatever happens, money moves once."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from temporalio import activity

from activities import asking
from orderloom.contracts.outside import PERFORM_GATEWAY_REQUEST, GatewayOutcome, GatewayRequest
from orderloom.contracts.queues import RECORD
from orderloom.gateways.http import HttpGateway
from orderloom.persistence.tables.payments import payment_intents
from orderloom.stack import Options
from tests.workflows.shop import Shop, total
from tests.workflows.test_running_ahead import rows_of

AT_ONCE = [(RECORD, "perform")]
"""The activity that records the shipment asks."""
LOOKED_UP = (PERFORM_GATEWAY_REQUEST, "lookup")
SENT = (PERFORM_GATEWAY_REQUEST, "perform")


@pytest.fixture
def options() -> Options:
    """Let the webhook come well after the answer: which of them is first is no matter of these tests."""
    return Options(webhook_lag=1.5, patience=20.0)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Return what the gateway is asked, each with the activity that asks."""
    seen: list[tuple[str, str]] = []
    perform, lookup = HttpGateway.perform, HttpGateway.lookup

    async def performed(self: HttpGateway, request: GatewayRequest) -> GatewayOutcome:
        seen.append((activity.info().activity_type, "perform"))
        return await perform(self, request)

    async def looked_up(self: HttpGateway, intent_id: str) -> GatewayOutcome | None:
        seen.append((activity.info().activity_type, "lookup"))
        return await lookup(self, intent_id)

    monkeypatch.setattr(HttpGateway, "perform", performed)
    monkeypatch.setattr(HttpGateway, "lookup", looked_up)
    return seen


async def test_an_order_comes_out_the_same_whoever_asks_the_gateway(
    shop: Shop, asked: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked at once, outside because the first answer stayed out, or outside alone: all rows are the same."""
    at_once = await rows_of(shop, await shop.fulfilled())
    assert asked == AT_ONCE

    monkeypatch.setattr(asking, "LIMIT", 0.2)
    await shop.fault({"kind": "timeout_after", "operation": "capture"})
    asked.clear()
    assert await rows_of(shop, await shop.fulfilled()) == at_once
    assert asked == [*AT_ONCE, LOOKED_UP]

    asked.clear()
    assert await rows_of(shop, await shop.fulfilled()) == at_once
    assert asked == [SENT], "it has not been left alone after that"


type Step = Callable[..., Awaitable[Any]]


def _dies_before(step: Step) -> Step:
    async def dies(*_: Any) -> Any:
        raise RuntimeError("the worker died")

    return dies


def _dies_after(step: Step) -> Step:
    async def dies(*args: Any) -> Any:
        await step(*args)
        raise RuntimeError("the worker died")

    return dies


@pytest.mark.parametrize(
    ("place", "name", "dies", "then"),
    [
        pytest.param(asking.Asking, "_ask", _dies_before, [LOOKED_UP, SENT], id="before it is asked"),
        pytest.param(asking, "settle", _dies_before, [*AT_ONCE, LOOKED_UP], id="before it is settled"),
        pytest.param(asking, "settle", _dies_after, AT_ONCE, id="after it is settled"),
    ],
)
async def test_a_worker_that_dies_on_the_way_moves_money_once(
    shop: Shop,
    asked: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    *,
    place: Any,
    name: str,
    dies: Callable[[Step], Step],
    then: list[tuple[str, str]],
) -> None:
    """What may have been sent is looked up, and sent only if the gateway never saw it."""
    whole = await rows_of(shop, await shop.fulfilled())
    asked.clear()
    monkeypatch.setattr(place, name, dies(getattr(place, name)))

    order = await shop.fulfilled()

    assert asked == then
    assert await rows_of(shop, order) == whole
    assert await shop.findings() == []
    assert await _captured(shop) == 2 * total(1)


async def _captured(shop: Shop) -> int:
    async with httpx.AsyncClient(base_url=shop.stack.gateway_url) as http:
        return (await http.get("/books")).json()["totals"]["EUR"]["captured"]


async def test_a_refusal_at_once_is_the_flow_s_to_handle(shop: Shop, asked: list[tuple[str, str]]) -> None:
    """The flow sees the error that it would see from outside; nobody is asked again."""
    await shop.fault({"kind": "decline", "operation": "capture"})
    order = await shop.place()
    await shop.until_journal(order, "fulfillment.created")
    await shop.fulfil(order)

    [exception] = await shop.exceptions(order)
    await shop.until_quiet(order)

    assert (exception["category"], exception["code"]) == ("Payment", "payment.declined")
    assert asked == AT_ONCE
    assert (await shop.journal(order)).count("payment.declined") == 1
    async with shop.stack.engine.connect() as conn:
        assert list(await conn.scalars(select(payment_intents.c.outcome))) == ["failed"]


async def test_a_prepared_action_is_asked_for_at_once_too(shop: Shop, asked: list[tuple[str, str]]) -> None:
    """Cancelling gives stock back, which ends a transaction: the next one begins with preparing, and asks."""
    order = await shop.place()
    await shop.until_journal(order, "fulfillment.created")

    items = [{"line": line, "quantity": 1} for line in ("a", "b")]
    (await shop.post(f"/v1/orders/{order}/cancel-items", {"items": [*items]})).raise_for_status()
    await shop.until_journal(order, "payment.reversed")
    await shop.until_quiet(order)

    assert asked == [("reverse-authorization@1.prepare", "perform")]
    assert (await shop.journal(order)).count("payment.reversed") == 1
