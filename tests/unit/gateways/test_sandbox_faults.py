"""Every fault of the sandbox gateway does what its name says, once, and the books stay right."""

import asyncio
import json
from pathlib import Path

import pytest

from orderloom.contracts.outside import GatewayOperation, Outcome
from orderloom.gateways.sandbox import Books, Fault, FaultKind, create_gateway_app, webhooks
from tests.peer import Answer, Asked, Peer, answering, closing, silence

from .conftest import NOW, Sandbox, a_request

CAPTURE = GatewayOperation.CAPTURE


async def _captured(sandbox: Sandbox) -> int:
    totals = (await sandbox.client.get("/books")).json()["totals"]
    return totals.get("EUR", {}).get("captured", 0)


async def _authorise(sandbox: Sandbox, token: str = "tok_ok") -> str:
    given = {"reference": f"auth-{token}", "kind": "authorization", "token": token}
    await sandbox.client.post("/references", json={**given, "amount": 9350, "currency": "EUR", "now": NOW.isoformat()})
    return f"auth-{token}"


async def test_a_decline_has_the_code_asked_for_and_moves_nothing(sandbox: Sandbox) -> None:
    """The declined intent stays declined when asked again; the next intent is not declined."""
    reference = await _authorise(sandbox)
    await sandbox.fault(Fault(kind=FaultKind.DECLINE, operation=CAPTURE, code="insufficient_funds"))

    declined = await sandbox.adapter.perform(a_request("T1", CAPTURE, reference=reference))
    again = await sandbox.adapter.perform(a_request("T1", CAPTURE, reference=reference))
    assert await _captured(sandbox) == 0
    other = await sandbox.adapter.perform(a_request("T2", CAPTURE, reference=reference))

    assert (declined.outcome, declined.code) == (Outcome.FAILED, "insufficient_funds")
    assert again == declined
    assert other.outcome is Outcome.SUCCEEDED


async def test_a_timeout_after_is_unknown_and_done(sandbox: Sandbox) -> None:
    """The adapter says unknown, the lookup says succeeded, the books hold one capture."""
    reference = await _authorise(sandbox)
    await sandbox.fault(Fault(kind=FaultKind.TIMEOUT_AFTER, operation=CAPTURE))

    outcome = await sandbox.adapter.perform(a_request("T1", CAPTURE, reference=reference))
    looked_up = await sandbox.adapter.lookup("T1")

    assert outcome.outcome is Outcome.UNKNOWN
    assert looked_up is not None
    assert looked_up.outcome is Outcome.SUCCEEDED
    assert await _captured(sandbox) == 9350


async def test_a_timeout_before_is_unknown_and_not_done(sandbox: Sandbox) -> None:
    """The gateway never saw the intent, says so, and there is no webhook."""
    reference = await _authorise(sandbox)
    await sandbox.fault(Fault(kind=FaultKind.TIMEOUT_BEFORE, operation=CAPTURE))

    outcome = await sandbox.adapter.perform(a_request("T1", CAPTURE, reference=reference))
    await sandbox.gateway.courier.drain()

    assert outcome.outcome is Outcome.UNKNOWN
    assert await sandbox.adapter.lookup("T1") is None
    assert await _captured(sandbox) == 0
    assert sandbox.heard == []


async def test_the_timeout_card_times_out_on_capture_only(sandbox: Sandbox) -> None:
    """``tok_timeout`` authorises normally; its capture is done without an answer, every time."""
    authorised = await sandbox.adapter.perform(a_request("T1", reference="tok_timeout"))
    outcomes = [
        (await sandbox.adapter.perform(a_request(id, CAPTURE, reference=str(authorised.reference), amount=10))).outcome
        for id in ("T2", "T3")
    ]

    assert authorised.outcome is Outcome.SUCCEEDED
    assert outcomes == [Outcome.UNKNOWN, Outcome.UNKNOWN]
    assert await _captured(sandbox) == 20


async def test_a_webhook_comes_after_each_operation(sandbox: Sandbox) -> None:
    """It names the event, the intent, what was done and how it ended."""
    await sandbox.adapter.perform(a_request("100001-T1"))
    await sandbox.gateway.courier.drain()

    assert sandbox.heard == [
        {
            "event_id": "evt-100001-T1",
            "intent_id": "100001-T1",
            "operation": "authorize",
            "outcome": "succeeded",
            "reference": "authorize:100001-T1",
            "code": None,
            "expires_at": "2026-03-09T09:00:00Z",
            "amount": 9350,
            "currency": "EUR",
        }
    ]


async def test_an_intent_asked_twice_has_one_webhook(sandbox: Sandbox) -> None:
    """Only the operation is told, not each time that it is asked for."""
    for _ in range(2):
        await sandbox.adapter.perform(a_request("T1"))
    await sandbox.gateway.courier.drain()

    assert len(sandbox.heard) == 1


async def test_a_duplicate_webhook_is_the_same_event_twice(sandbox: Sandbox) -> None:
    """Both deliveries carry one event id."""
    await sandbox.fault(Fault(kind=FaultKind.DUPLICATE_WEBHOOK))

    await sandbox.adapter.perform(a_request("T1"))
    await sandbox.gateway.courier.drain()

    assert [notice["event_id"] for notice in sandbox.heard] == ["evt-T1", "evt-T1"]


async def test_an_early_webhook_is_there_before_the_answer(sandbox: Sandbox) -> None:
    """When the answer arrives the webhook has been heard, and it is not sent again."""
    await sandbox.fault(Fault(kind=FaultKind.EARLY_WEBHOOK))

    await sandbox.adapter.perform(a_request("T1"))
    heard_before_answer = len(sandbox.heard)
    await sandbox.gateway.courier.drain()

    assert heard_before_answer == 1
    assert len(sandbox.heard) == 1


async def test_a_webhook_that_is_not_taken_is_sent_again(sandbox: Sandbox) -> None:
    """Two refusals, then it is taken; after that there is nothing left to deliver."""
    sandbox.deaf = 2

    await sandbox.adapter.perform(a_request("T1"))
    await sandbox.gateway.courier.drain()

    assert len(sandbox.heard) == 1
    assert (await sandbox.client.get("/webhooks")).json() == {"undelivered": 0}


async def test_a_webhook_outlives_the_gateways_process(peer: Peer, tmp_path: Path) -> None:
    """What a killed gateway had not told is told by the next one on the same books, and then never again."""
    peer.answer = answering(202)
    killed = Books(tmp_path / "books.db")
    killed.perform(a_request("T1"))
    killed.close()
    for _ in range(2):
        books = Books(tmp_path / "books.db")
        app = create_gateway_app(books, f"{peer.url}/hooks", webhook_lag=0)
        async with app.router.lifespan_context(app):
            await app.state.gateway.courier.drain()
        books.close()

    assert [json.loads(asked.body)["event_id"] for asked in peer.asked] == ["evt-T1"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(closing, id="closed without an answer"),
        pytest.param(silence, id="no answer in time"),
        pytest.param(answering(302, headers="Location: /elsewhere\r\n"), id="sent elsewhere"),
    ],
)
async def test_a_webhook_without_a_clear_yes_is_sent_again(
    peer: Peer, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second time it is taken: it has come twice to where it belongs, and nowhere else."""
    monkeypatch.setattr(webhooks, "PATIENCE", 0.1)
    answers = [answer, answering(202)]
    told: list[str] = []

    async def hear(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await answers.pop(0)(asked, writer)

    peer.answer = hear
    books = Books()
    books.perform(a_request("T1"))
    courier = webhooks.Courier(
        f"{peer.url}/hooks", lag=0, delays=[0, 0], told=lambda notice: told.append(notice.event_id)
    )
    courier.send(books.notice("T1"))
    await courier.drain()
    await courier.close()
    books.close()

    heard = [(asked.method, asked.target, json.loads(asked.body)["event_id"]) for asked in peer.asked]
    assert heard == [("POST", "/hooks", "evt-T1")] * 2
    assert told == ["evt-T1"]


async def test_a_webhook_is_given_up_in_the_end(sandbox: Sandbox) -> None:
    """After the first delivery and both retries were refused, nobody hears of it."""
    sandbox.deaf = 3

    await sandbox.adapter.perform(a_request("T1"))
    await sandbox.gateway.courier.drain()

    assert (sandbox.heard, sandbox.deaf) == ([], 0)


async def test_an_unavailable_gateway_answers_no_call_for_a_while(sandbox: Sandbox) -> None:
    """Three calls meet 503, lookups too, and nothing is done; the fourth is served."""
    await sandbox.fault(Fault(kind=FaultKind.UNAVAILABLE, times=3))

    first = await sandbox.adapter.perform(a_request("T1"))
    lookups = [await sandbox.adapter.lookup("T1") for _ in range(2)]
    after = await sandbox.adapter.lookup("T1")

    assert first.outcome is Outcome.UNKNOWN
    assert [outcome.outcome for outcome in lookups if outcome] == [Outcome.UNKNOWN, Outcome.UNKNOWN]
    assert after is None


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(kind=FaultKind.DECLINE, operation=CAPTURE), id="operation"),
        pytest.param(Fault(kind=FaultKind.DECLINE, token="tok_other"), id="token"),
        pytest.param(Fault(kind=FaultKind.DECLINE, amount=1), id="amount"),
        pytest.param(Fault(kind=FaultKind.DECLINE, nth=2), id="nth"),
    ],
)
async def test_a_fault_strikes_only_what_meets_its_conditions(sandbox: Sandbox, fault: Fault) -> None:
    """The first authorisation of 93.50 with tok_ok meets none of these conditions."""
    await sandbox.fault(fault)

    assert (await sandbox.adapter.perform(a_request("T1"))).outcome is Outcome.SUCCEEDED


async def test_the_nth_call_is_struck_and_then_no_more(sandbox: Sandbox) -> None:
    """With nth 2, only the second authorisation is declined."""
    await sandbox.fault(Fault(kind=FaultKind.DECLINE, nth=2))

    outcomes = [(await sandbox.adapter.perform(a_request(f"T{n}"))).outcome for n in (1, 2, 3)]

    assert outcomes == [Outcome.SUCCEEDED, Outcome.FAILED, Outcome.SUCCEEDED]


async def test_faults_can_be_lifted(sandbox: Sandbox) -> None:
    """After ``DELETE /faults`` nothing is declined."""
    await sandbox.fault(Fault(kind=FaultKind.DECLINE, times=100))
    assert (await sandbox.client.delete("/faults")).status_code == 204

    assert (await sandbox.adapter.perform(a_request("T1"))).outcome is Outcome.SUCCEEDED
