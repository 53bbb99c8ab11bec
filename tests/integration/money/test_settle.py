"""An intent is settled once, by whichever word of it comes first."""

import pytest

from orderloom.contracts import actions
from orderloom.contracts.actions import EnsureFunds, ForFulfillmentOrder
from orderloom.contracts.messages import RunAction
from orderloom.contracts.outside import GatewayOutcome, GatewayRequest, Outcome
from orderloom.domain.model import JsonObject
from orderloom.domain.order import OrderMoved
from orderloom.persistence.tables.payments import payment_intents

from .rows import B, card
from .shop import Shop

I1 = "100001-I1"


async def _asked(shop: Shop) -> tuple[RunAction, GatewayRequest]:
    """Bring an order to where the gateway is being asked for 93.50."""
    await shop.place(B, card(9350))
    await shop.allocate("100001-F1", {"X": 2, "Y": 1, "D": 1})
    await shop.ship("100001-F1")
    await shop.run(actions.create_invoice, ForFulfillmentOrder(fulfillment_order="100001-F1"))
    action = shop.action(EnsureFunds(invoice=I1))
    [request] = (await shop.prepare(actions.ensure_funds, action)).requests
    return action, request


def _notice(outcome: GatewayOutcome) -> JsonObject:
    return {
        "event_id": f"evt-{outcome.intent_id}",
        "operation": "capture",
        "amount": 9350,
        "currency": "EUR",
        **outcome.model_dump(mode="json"),
    }


async def _is_captured_once(shop: Shop) -> None:
    funds = await shop.funds()
    assert (funds.applied, funds.captured, funds.authorised) == (9350, 0, 0)
    assert funds.invoice_balance(I1) == 0
    assert await shop.journal("payment.captured") == ["payment.captured"]
    assert await shop.rows(payment_intents, "outcome", "reference") == [("succeeded", "capture:100001-T1")]


async def test_an_intent_is_written_before_anyone_is_asked(shop: Shop) -> None:
    """The request carries the intent's id, the authorisation, the amount; the funds count it as pending."""
    _, request = await _asked(shop)

    assert request.model_dump(exclude={"now"}) == {
        "intent_id": "100001-T1",
        "operation": "capture",
        "gateway": "sandbox",
        "reference": "auth-1",
        "amount": 9350,
        "currency": "EUR",
        "asked": False,
    }
    [payment] = (await shop.funds()).payments
    assert (payment.pending_capture, payment.available_to_capture) == (9350, 0)
    assert await shop.rows(payment_intents, "outcome", "document_id") == [("requested", I1)]


async def test_preparing_again_asks_for_the_same_intent(shop: Shop) -> None:
    """The same key answers with the same intent, which may have been sent by now, and there is one row."""
    action, request = await _asked(shop)

    [again] = (await shop.prepare(actions.ensure_funds, action)).requests

    assert again == request.model_copy(update={"asked": True})
    assert await shop.count(payment_intents) == 1


async def test_settling_twice_moves_money_once(shop: Shop) -> None:
    """The second settlement answers what the first did."""
    action, request = await _asked(shop)
    outcome = shop.books.perform(request)

    first = await shop.settle(actions.ensure_funds, action, [outcome])
    second = await shop.settle(actions.ensure_funds, action, [outcome])

    assert first.output == second.output == {"applied": 9350, "captured": 9350}
    await _is_captured_once(shop)


async def test_an_early_webhook_settles_and_the_answer_finds_it_done(shop: Shop) -> None:
    """The webhook comes before the answer: the money moves with it, and the action ends as usual."""
    action, request = await _asked(shop)
    outcome = shop.books.perform(request)

    await shop.webhook(_notice(outcome))
    await _is_captured_once(shop)
    done = await shop.settle(actions.ensure_funds, action, [outcome])

    assert done.output == {"applied": 9350, "captured": 9350}
    await _is_captured_once(shop)


async def test_a_webhook_settles_what_the_gateway_did_not_answer(shop: Shop) -> None:
    """The answer stays out, the webhook comes: settling with unknown finds nothing left to ask."""
    action, request = await _asked(shop)
    outcome = shop.books.perform(request)
    unknown = GatewayOutcome(intent_id=request.intent_id, outcome=Outcome.UNKNOWN)

    await shop.webhook(_notice(outcome))
    done = await shop.settle(actions.ensure_funds, action, [unknown])

    assert (done.requests, done.output) == ([], {"applied": 9350, "captured": 9350})
    await _is_captured_once(shop)


async def test_late_and_repeated_webhooks_change_nothing(shop: Shop) -> None:
    """Two webhooks after the answer: no posting, no event of ours, no surprise."""
    action, request = await _asked(shop)
    outcome = shop.books.perform(request)
    await shop.settle(actions.ensure_funds, action, [outcome])

    await shop.webhook(_notice(outcome))
    await shop.webhook(_notice(outcome))

    await _is_captured_once(shop)
    assert await shop.journal("event.unexpected") == []


async def test_an_unknown_outcome_is_asked_about_again(shop: Shop) -> None:
    """Unknown leaves the intent pending; what comes back is the same intent, to be asked about and not sent."""
    action, request = await _asked(shop)
    outcome = shop.books.perform(request)
    unknown = GatewayOutcome(intent_id=request.intent_id, outcome=Outcome.UNKNOWN)

    once = await shop.settle(actions.ensure_funds, action, [unknown])
    twice = await shop.settle(actions.ensure_funds, action, [unknown])

    assert once.requests == twice.requests == [request.model_copy(update={"asked": True})]
    assert (await shop.funds()).payments[0].pending_capture == 9350
    assert await shop.journal("payment") == []

    done = await shop.settle(actions.ensure_funds, action, [outcome])
    assert done.output == {"applied": 9350, "captured": 9350}
    await _is_captured_once(shop)


async def test_an_outcome_that_is_missing_counts_as_unknown(shop: Shop) -> None:
    """Settling without a word of the intent asks about it."""
    action, request = await _asked(shop)

    done = await shop.settle(actions.ensure_funds, action, [])

    assert done.requests == [request.model_copy(update={"asked": True})]


@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param(Outcome.SUCCEEDED, Outcome.FAILED, id="failed"),
        pytest.param(Outcome.FAILED, Outcome.SUCCEEDED, id="succeeded"),
    ],
)
async def test_a_contradiction_is_journaled_and_moves_nothing(shop: Shop, first: Outcome, then: Outcome) -> None:
    """A settled intent is final; what contradicts it is an unexpected event for people to see."""
    _, request = await _asked(shop)
    await shop.webhook(_notice(GatewayOutcome(intent_id=request.intent_id, outcome=first, reference="r")))
    before = await shop.funds()

    await shop.webhook(_notice(GatewayOutcome(intent_id=request.intent_id, outcome=then, reference="r")))

    assert await shop.funds() == before
    assert await shop.journal("event.unexpected") == ["event.unexpected"]
    assert await shop.rows(payment_intents, "outcome") == [(first.value,)]


async def test_a_webhook_of_an_unknown_intent_is_unexpected(shop: Shop) -> None:
    """It is journaled and changes nothing."""
    await shop.place(B, card(9350))

    await shop.webhook(_notice(GatewayOutcome(intent_id="100001-T7", outcome=Outcome.SUCCEEDED)))

    assert await shop.journal("event.unexpected", "payment.captured") == ["event.unexpected"]
    assert (await shop.funds()).captured == 0


async def test_an_invoice_is_not_covered_twice_at_once(shop: Shop) -> None:
    """While a capture for the invoice has no answer, another action may not ask for it again."""
    _, request = await _asked(shop)

    with pytest.raises(OrderMoved) as caught:
        await shop.outside(actions.ensure_funds, EnsureFunds(invoice=I1))

    assert caught.value.facts == {"invoice": I1, "intent": request.intent_id}
    assert await shop.count(payment_intents) == 1
