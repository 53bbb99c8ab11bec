"""The flows that ship: each path of each flow, with the calls it makes, their arguments and their keys."""

from typing import Any

import pytest

from flows_dsl import prebuilt
from flows_dsl.compiler import compile_flow
from flows_dsl.runner import FlowFailure
from flows_dsl.testing import ScriptedRunner, event, failure, run
from orderloom.domain.payments import FundsInsufficient, PaymentDeclined

PLACED = event("order.placed", {"channel": "web", "external_id": "A-1"})
SHIPPED = event("fulfillment.shipped", {"fulfillment_order": "100001-F1", "location": "berlin"}, id="100001:7", seq=7)


def _header(**changes: Any) -> dict[str, Any]:
    header: dict[str, Any] = {
        "policy": {"reserve": "placing", "when_short": "accept", "remorse": "PT0S", "max_attempts": 3},
        "units": {"open": 0, "reserved": 3},
        "money": {"to_authorize": 0, "to_reverse": 0},
        "exceptions": {"open": 0},
    }
    for path, value in changes.items():
        group, _, name = path.partition("__")
        header[group] = {**header[group], name: value}
    return header


async def _run(name: str, started_by: Any, runner: ScriptedRunner) -> list[tuple[str, Any]]:
    await run(compile_flow(prebuilt.document(name)), runner, started_by)
    assert len(set(runner.keys)) == len(runner.keys)
    return [(what.removesuffix("@1"), arguments) for what, arguments in runner.effects]


def _declined() -> FlowFailure:
    return failure(PaymentDeclined("The card was declined."))


def _told(category: str, code: str, detail: str) -> tuple[str, dict[str, str]]:
    return ("exception.occurred", {"category": category, "code": code, "detail": detail})


async def test_place_order_of_a_standard_order() -> None:
    """Authorised by the channel and without remorse: reserve, release, and nothing in between."""
    runner = ScriptedRunner(header=_header())

    assert await _run("place-order", PLACED, runner) == [("create-reservation", {}), ("order.released", {})]
    assert [it.kind for it in runner.asked] == ["call", "emit"]


async def test_place_order_reserves_at_routing_if_the_channel_says_so() -> None:
    """The policy `reserve: routing` promises nothing when the order is placed."""
    runner = ScriptedRunner(header=_header(policy__reserve="routing"))

    assert await _run("place-order", PLACED, runner) == [("order.released", {})]


async def test_place_order_authorises_and_waits_for_remorse() -> None:
    """What is not authorised is, then the remorse period passes, then the order is released."""
    runner = ScriptedRunner(header=_header(money__to_authorize=9350, policy__remorse="PT30M"))

    assert await _run("place-order", PLACED, runner) == [
        ("create-reservation", {}),
        ("authorize-payment", {}),
        ("order.released", {}),
    ]
    assert [it.what for it in runner.asked if it.kind == "wait"] == ["2026-03-02T09:30:00+00:00"]


async def test_place_order_gives_back_when_the_payment_is_declined() -> None:
    """A declined payment releases the stock and tells a person; the order is not released."""
    runner = ScriptedRunner(header=_header(money__to_authorize=1), answers={"authorize-payment": [_declined()]})

    assert await _run("place-order", PLACED, runner) == [
        ("create-reservation", {}),
        ("authorize-payment", {}),
        ("release-reservation", {}),
        _told("Payment", "payment.declined", "The card was declined."),
    ]


async def test_place_order_of_a_cancelled_order_is_not_released() -> None:
    """When all units were cancelled within the remorse period, nothing is released."""
    runner = ScriptedRunner(header=_header(units__reserved=0))

    assert await _run("place-order", PLACED, runner) == [("create-reservation", {})]


@pytest.mark.parametrize("short", [pytest.param(True, id="short"), pytest.param(False, id="captured")])
async def test_place_order_capturing(short: bool) -> None:
    """The variant captures all before it releases; without the funds it gives the stock back."""
    error = failure(FundsInsufficient("5 EUR are missing."))
    runner = ScriptedRunner(header=_header(), answers={"capture-payment": [error if short else {"amount": 5}]})

    effects = await _run("place-order-capturing", PLACED, runner)

    after = (
        [("release-reservation", {}), _told("Payment", FundsInsufficient.code, "5 EUR are missing.")]
        if short
        else [("order.released", {})]
    )
    assert effects == [("create-reservation", {}), ("capture-payment", {}), *after]


SCHEDULED: list[Any] = [
    {"schedule": 1, "due": "2026-03-02T09:00:00Z", "delay": "PT0S"},
    {"schedule": 2, "due": "2026-03-02T11:00:00Z", "delay": "PT2H"},
    {"schedule": 2, "due": "2026-03-02T11:00:00Z", "delay": "PT0S"},
]
ROUTED = {"outcome": "ROUTED", "attempt": 4, "locations": ["berlin"], "splits": 0, "retry": False}


def _routes(outcome: str, *, retry: bool) -> dict[str, Any]:
    return {"outcome": outcome, "attempt": 3, "retry": retry}


async def test_fulfilment_routes_at_once() -> None:
    """Schedule, find, create: three actions and no wait."""
    runner = ScriptedRunner(header=_header(), answers={"schedule-routing": SCHEDULED, "find-routes": [ROUTED]})

    assert await _run("fulfilment", event("order.released"), runner) == [
        ("schedule-routing", {"reason": "order.released"}),
        ("find-routes", {"schedule": 1}),
        ("create-fulfillment-orders", {"attempt": 4}),
    ]
    assert [it.kind for it in runner.asked] == ["call", "call", "call"]


async def test_fulfilment_tries_again_when_it_is_due() -> None:
    """Without stock it waits for the next schedule; an open exception of before is resolved in the end."""
    runner = ScriptedRunner(
        header=_header(exceptions__open=1),
        answers={"schedule-routing": SCHEDULED, "find-routes": [_routes("NO_STOCK", retry=True), ROUTED]},
    )

    assert await _run("fulfilment", event("order.routing.requested"), runner) == [
        ("schedule-routing", {"reason": "order.routing.requested"}),
        ("find-routes", {"schedule": 1}),
        ("schedule-routing", {"reason": "order.routing.requested"}),
        ("schedule-routing", {"reason": "order.routing.requested"}),
        ("find-routes", {"schedule": 2}),
        ("create-fulfillment-orders", {"attempt": 4}),
        ("resolve-exceptions", {"code": "routing.abandoned"}),
    ]
    assert [it.kind for it in runner.asked].count("next_event") == 1
    assert ["#" + key.rpartition("#")[2] for key in runner.keys if "listen" not in key][-3:] == ["#1.0", "#0.0", "#0.0"]


async def test_fulfilment_gives_up_when_the_policy_says_so() -> None:
    """The last attempt found nothing: abandoned, and a person is told."""
    runner = ScriptedRunner(
        header=_header(), answers={"schedule-routing": SCHEDULED, "find-routes": [_routes("NO_STOCK", retry=False)]}
    )

    assert await _run("fulfilment", event("order.released"), runner) == [
        ("schedule-routing", {"reason": "order.released"}),
        ("find-routes", {"schedule": 1}),
        ("abandon-routing", {"schedule": 1}),
        _told("Fulfillment", "routing.abandoned", "No route was found."),
    ]


async def test_fulfilment_with_nothing_left_to_route_ends() -> None:
    """An order whose units are all allocated or cancelled is not abandoned."""
    answers: dict[str, list[Any]] = {
        "schedule-routing": SCHEDULED,
        "find-routes": [_routes("NOTHING_TO_ROUTE", retry=False)],
    }
    runner = ScriptedRunner(header=_header(), answers=answers)

    effects = await _run("fulfilment", event("order.released"), runner)

    assert [what for what, _ in effects] == ["schedule-routing", "find-routes"]


async def test_fulfilment_routes_again_when_the_stock_has_moved() -> None:
    """Stock that went between plan and execution leads to the next schedule, not to an exception."""
    answers: dict[str, list[Any]] = {
        "schedule-routing": SCHEDULED,
        "find-routes": [ROUTED],
        "create-fulfillment-orders": [failure(), {"fulfillment_orders": ["100001-F1"], "count": 1}],
    }
    runner = ScriptedRunner(header=_header(), answers=answers)

    effects = await _run("fulfilment", event("fulfillment.rejected"), runner)

    tried = ["find-routes", "create-fulfillment-orders"]
    assert [what for what, _ in effects] == ["schedule-routing", *tried, "schedule-routing", "schedule-routing", *tried]


async def test_invoice_and_ensure_funds() -> None:
    """Each shipment is invoiced and covered; what is no longer needed is given back."""
    runner = ScriptedRunner(
        header=_header(money__to_reverse=10), answers={"create-invoice": [{"invoice": "100001-I1", "total": 5}]}
    )

    assert await _run("invoice-and-ensure-funds", SHIPPED, runner) == [
        ("create-invoice", {"fulfillment_order": "100001-F1"}),
        ("ensure-funds", {"invoice": "100001-I1"}),
        ("reverse-authorization", {}),
    ]


async def test_an_invoice_that_cannot_be_covered_is_told() -> None:
    """Declined at the capture: a person is told, and nothing is given back."""
    runner = ScriptedRunner(
        header=_header(money__to_reverse=10),
        answers={"create-invoice": [{"invoice": "100001-I1", "total": 5}], "ensure-funds": [_declined()]},
    )

    effects = await _run("invoice-and-ensure-funds", SHIPPED, runner)

    assert effects[1:] == [
        ("ensure-funds", {"invoice": "100001-I1"}),
        _told("Payment", "payment.declined", "The card was declined."),
    ]


async def test_fulfill_reservation() -> None:
    """A shipment leaves the location's stock."""
    assert await _run("fulfill-reservation", SHIPPED, ScriptedRunner()) == [
        ("fulfill-reservation", {"fulfillment_order": "100001-F1"})
    ]


@pytest.mark.parametrize("excess", [pytest.param(0, id="nothing-captured"), pytest.param(700, id="captured")])
async def test_cancel_items(excess: int) -> None:
    """A cancellation changes the order and refunds what is captured beyond what is owed."""
    answers: dict[str, list[Any]] = {"cancel-items": [{"change_order": "100001-C1", "total": 700, "excess": excess}]}
    runner = ScriptedRunner(header=_header(), answers=answers)

    effects = await _run("cancel-items", event("order.cancel.requested", id="in-9"), runner)

    assert effects == [
        ("cancel-items", {"request": "in-9"}),
        *([("ensure-refunds", {"excess": True})] if excess else []),
    ]


@pytest.mark.parametrize(
    ("name", "type", "category"),
    [("cancel-items", "order.cancel.requested", "Fulfillment"), ("return-items", "order.return.requested", "Return")],
)
async def test_a_change_that_came_too_late_is_told(name: str, type: str, category: str) -> None:
    """The order has moved since the command was accepted: a person is told, no money moves."""
    runner = ScriptedRunner(header=_header(money__to_reverse=5), answers={name: [failure(code="order.moved")]})

    assert await _run(name, event(type, id="in-9"), runner) == [
        (name, {"request": "in-9"}),
        _told(category, "order.moved", "order.moved"),
    ]


async def test_return_items() -> None:
    """A return is credited, and the credit memo refunded."""
    runner = ScriptedRunner(
        answers={
            "return-items": [{"change_order": "100001-C1", "total": 5, "excess": 0}],
            "create-credit-memo": [{"credit_memo": "100001-M1", "total": 5}],
        }
    )

    assert await _run("return-items", event("order.return.requested", id="in-3"), runner) == [
        ("return-items", {"request": "in-3"}),
        ("create-credit-memo", {"change_order": "100001-C1"}),
        ("ensure-refunds", {"credit_memo": "100001-M1"}),
    ]


async def test_process_exception() -> None:
    """What another flow tells becomes a process exception, urgent and about the order unless it says otherwise."""
    said = {"category": "Payment", "code": "x", "detail": "y"}
    more = {"severity": "Low", "priority": "Low", "attached_to": "100001-F2"}

    assert [
        await _run("process-exception", event("exception.occurred", data), ScriptedRunner())
        for data in (said, {**said, **more})
    ] == [
        [("raise-exception", {**said, "severity": "High", "priority": "High", "attached_to": None})],
        [("raise-exception", {**said, **more})],
    ]
