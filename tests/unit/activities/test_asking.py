"""Gateways are asked between two transactions only as long as they are quick."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from activities import asking
from activities.asking import REST, Asking
from activities.questions import Question
from activities.registry import Entry
from activities.transaction import ActionFailed
from activities.unit import Services
from orderloom.contracts.actions import ensure_funds
from orderloom.contracts.messages import (
    ActionDone,
    Ahead,
    Applied,
    Context,
    FlowFinished,
    Receipt,
    Recorded,
    ReleasePin,
    RunAction,
    SettleAction,
)
from orderloom.contracts.outside import GatewayOperation, GatewayOutcome, GatewayRequest, Outcome
from orderloom.domain.payments import PaymentDeclined

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
ACTION = ensure_funds.activity
NOBODY = Services(engine=None, vault=None)  # type: ignore[arg-type]
"""What settles, and asks nobody."""
ENDED = FlowFinished(instance="event@flow", outcome="completed")


@dataclass
class Gateway:
    """A gateway that answers when it is let, and notes what it was asked."""

    outcome: Any = Outcome.SUCCEEDED
    answers: bool = True
    performed: list[GatewayRequest] = field(default_factory=list[GatewayRequest])
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def perform(self, request: GatewayRequest) -> GatewayOutcome:
        """Answer, or never."""
        self.performed.append(request)
        self.begun.set()
        if not self.answers:
            await asyncio.Event().wait()
        return GatewayOutcome(intent_id=request.intent_id, outcome=self.outcome)

    async def lookup(self, intent_id: str) -> GatewayOutcome | None:
        """Fail: nothing is asked about that was never sent."""
        raise AssertionError(intent_id)


@dataclass
class Clock:
    """What tells the time to the asking."""

    now: float = 1_000.0

    def __call__(self) -> float:
        """Return seconds."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock, which stands still."""
    clock = Clock()
    monkeypatch.setattr(asking, "monotonic", clock)
    return clock


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> list[SettleAction]:
    """Return the settlings that are asked for; each of them ends its instance and has nothing to do ahead."""
    seen: list[SettleAction] = []

    async def settle(services: Services, _contract: Any, _function: Any, request: SettleAction) -> ActionDone:
        assert services is NOBODY, "it would ask once more"
        seen.append(request)
        return ActionDone(output={"captured": 1}, applied=Applied(order={"seq": 9}, ended=[ENDED]))

    monkeypatch.setattr(asking, "settle", settle)
    return seen


async def _nothing(*_: Any) -> Any:
    raise AssertionError


def _asking(at_once: int = 2, **gateways: Gateway) -> Asking:
    return Asking(NOBODY, {ACTION: Entry(ensure_funds, settle=_nothing)}, gateways, at_once)


def _request(gateway: str = "fast", intent: str = "T1", *, asked: bool = False) -> GatewayRequest:
    return GatewayRequest(
        intent_id=intent,
        operation=GatewayOperation.CAPTURE,
        gateway=gateway,
        reference="auth",
        amount=1,
        currency="EUR",
        now=NOW,
        asked=asked,
    )


def _question(*requests: GatewayRequest) -> Question:
    context = Context(order_id="o", now=NOW, known_flows=[], pin=ReleasePin(release="", subscriptions={}))
    action = RunAction(context=context, key="k", input={"invoice": "I"}, cause="test")
    return Question(activity=ACTION, request=action, requests=requests or (_request(),))


def _prepared(question: Question) -> ActionDone:
    return ActionDone(applied=Applied(order={}), requests=list(question.requests))


async def _ask[R: (ActionDone, Recorded)](ask: Asking, question: Question, done: R) -> R:
    return await ask(question, done)


async def test_what_is_answered_at_once_is_settled_at_once(settled: list[SettleAction]) -> None:
    """Each intent is sent once; the answer has the settling, what ended by it, and the requests as asked."""
    gateway = Gateway()
    question = _question(_request(intent="T1"), _request(intent="T2"))

    done = await _ask(_asking(fast=gateway), question, _prepared(question))

    assert [request.intent_id for request in gateway.performed] == ["T1", "T2"]
    assert [outcome.intent_id for outcome in settled[0].outcomes] == ["T1", "T2"]
    assert settled[0].action == question.request
    assert [request.asked for request in done.requests] == [True, True]
    assert done.applied == Applied(
        order={},
        ahead=[
            Ahead(
                activity=f"{ACTION}.settle",
                key="k",
                done=ActionDone(output={"captured": 1}, applied=Applied(order={"seq": 9})),
            )
        ],
        ended=[ENDED],
    )


async def test_what_others_did_meanwhile_stays_between_preparing_and_settling(settled: list[SettleAction]) -> None:
    """Only the requests of the question count as asked, wherever they stand; the settling comes last."""
    question = _question()
    other = ActionDone(applied=Applied(order={}), requests=[_request(intent="T7")])
    ahead = [
        Ahead(activity=f"{ACTION}.prepare", key="k", done=_prepared(question)),
        Ahead(activity=f"{ACTION}.prepare", key="other", done=other),
    ]
    recorded = Recorded(receipt=Receipt(status="accepted"), applied=Applied(order={}, ahead=ahead))

    told = (await _ask(_asking(fast=Gateway()), question, recorded)).applied

    assert len(settled) == 1
    assert told is not None
    assert [(each.activity, each.key) for each in told.ahead] == [
        (f"{ACTION}.prepare", "k"),
        (f"{ACTION}.prepare", "other"),
        (f"{ACTION}.settle", "k"),
    ]
    assert [request.asked for each in told.ahead for request in each.done.requests] == [True, False]


async def test_a_refusal_is_settled_too(settled: list[SettleAction], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a definite answer: what the action ends in is told beside what it committed."""
    declined = PaymentDeclined("no", payment="P", operation="capture", amount=1, reason="card_declined")

    async def settle(*_: Any) -> ActionDone:
        raise ActionFailed(declined, Applied(order={"seq": 9}))

    monkeypatch.setattr(asking, "settle", settle)
    question = _question()

    done = await _ask(_asking(fast=Gateway(Outcome.FAILED)), question, _prepared(question))

    [told] = done.applied.ahead
    assert (told.activity, told.error) == (f"{ACTION}.settle", declined.problem())
    assert told.done.applied == Applied(order={"seq": 9})
    assert settled == []


async def test_a_settling_that_cannot_be_is_left_to_the_workflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that committed nothing is not the answer: the gateway is asked again what became of it."""

    async def settle(*_: Any) -> ActionDone:
        raise PaymentDeclined("before anything was committed")

    monkeypatch.setattr(asking, "settle", settle)
    question = _question()

    done = await _ask(_asking(fast=Gateway()), question, _prepared(question))

    assert done.applied.ahead == []
    assert [request.asked for request in done.requests] == [True]


@pytest.mark.parametrize(
    "gateway",
    [pytest.param(Gateway(answers=False), id="silent"), pytest.param(Gateway(Outcome.UNKNOWN), id="unknown")],
)
async def test_one_that_is_not_quick_is_left_alone_for_a_while(
    gateway: Gateway, settled: list[SettleAction], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds an order no longer than the limit, and the next ones not at all; others are asked as before."""
    monkeypatch.setattr(asking, "LIMIT", 0.01)
    other, question = Gateway(), _question(_request("slow"))
    ask = _asking(slow=gateway, fast=other)

    done = await _ask(ask, question, _prepared(question))
    assert [request.asked for request in done.requests] == [True]
    assert done.applied.ahead == []

    clock.now += REST - 0.001
    prepared = _prepared(question)
    assert await _ask(ask, question, prepared) is prepared
    assert len(gateway.performed) == 1
    await _ask(ask, _question(), _prepared(_question()))
    assert (len(other.performed), len(settled)) == (1, 1)

    clock.now += 0.001
    await _ask(ask, question, prepared)
    assert len(gateway.performed) == 2
    assert len(settled) == 1


async def test_only_so_many_orders_ask_at_one_time(settled: list[SettleAction]) -> None:
    """Who finds no place asks nobody and waits for nobody; a place is free again when the answer is there."""
    slow, question = Gateway(answers=False), _question(_request("slow"))
    ask = _asking(at_once=1, slow=slow, fast=Gateway())
    waiting = asyncio.create_task(_ask(ask, question, _prepared(question)))
    await slow.begun.wait()

    prepared = _prepared(_question())
    assert await _ask(ask, _question(), prepared) is prepared
    assert settled == []

    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await _ask(ask, _question(), prepared)
    assert len(settled) == 1


async def test_a_gateway_without_an_adapter_is_asked_by_nobody(settled: list[SettleAction]) -> None:
    """If one of several is not this worker's, none of them is asked."""
    fast, question = Gateway(), _question(_request(), _request("elsewhere", "T2"))
    prepared = _prepared(question)

    assert await _ask(_asking(fast=fast), question, prepared) is prepared
    assert (fast.performed, settled) == ([], [])
