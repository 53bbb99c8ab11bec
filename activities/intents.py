"""
Intents towards gateways: written before a gateway is asked, settled by whichever word of it comes first.

``requested`` and ``unknown`` become ``succeeded`` or ``failed``, once. The postings to the ledger of money are made on
that transition and nowhere else, so a repeated, late or early answer moves nothing (reference 6m).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from activities.unit import Fact, Unit
from orderloom.contracts.outside import GatewayNotice, GatewayOperation, GatewayOutcome, GatewayRequest, Outcome
from orderloom.domain import ids
from orderloom.domain.funds import Account, Posting
from orderloom.domain.model import JsonObject
from orderloom.gateways.account import ACCOUNT, settle_on_account
from orderloom.persistence.books import INTENTS, PAYMENTS
from orderloom.persistence.tables.payments import payment_intents, payments
from orderloom.persistence.writes import Values

GIVEN = "given"
"""Code of a capture that the channel made before the order was placed: nobody was asked for it."""

_FINAL = frozenset({Outcome.SUCCEEDED, Outcome.FAILED})

_DONE = {
    GatewayOperation.AUTHORIZE: "payment.authorised",
    GatewayOperation.CAPTURE: "payment.captured",
    GatewayOperation.REFUND: "payment.refunded",
    GatewayOperation.REVERSE: "payment.reversed",
}


@dataclass(frozen=True, kw_only=True)
class IntentDraft:
    """What a gateway is to be asked: an amount of one payment, in minor units, and the document it is for."""

    payment_id: str
    operation: GatewayOperation
    amount: int
    document_id: str | None = None
    """Invoice (capture) or credit memo (refund); None for excess funds and captures at placing."""
    capture_ref: str | None = None
    """For a refund: the gateway's id of the capture that it goes back to."""


@dataclass(frozen=True, kw_only=True)
class Intent:
    """A row of ``payment_intents``, with what its payment says."""

    id: str
    payment_id: str
    operation: GatewayOperation
    amount: int
    document_id: str | None
    outcome: Outcome
    reference: str | None
    capture_ref: str | None
    code: str | None
    action_key: str
    gateway: str
    token: str | None
    authorization_ref: str | None


class _Method(NamedTuple):
    """What a gateway knows a payment by."""

    gateway: str
    token: str | None
    authorization_ref: str | None


class _Asked(NamedTuple):
    """What gateways were asked for an order, in the order of writing, and its payments."""

    methods: Mapping[str, _Method]
    intents: tuple[Intent, ...]


_ASKED = Fact[_Asked]()


async def write_intents(unit: Unit, drafts: Sequence[IntentDraft]) -> list[GatewayRequest]:
    """
    Write an intent for every draft and return what is to be asked of gateways outside.

    Intents on account are settled at once: our own books are their gateway, and nobody is asked.
    """
    methods, known = await _asked(unit)
    written = [
        _intent(unit, number, draft, methods[draft.payment_id]) for number, draft in enumerate(drafts, len(known) + 1)
    ]
    unit.enter(payment_intents, *(_row(unit, intent) for intent in written))
    unit.remember(_ASKED, _Asked(methods, (*known, *written)))
    for intent in written:
        if intent.gateway == ACCOUNT:
            _transition(unit, intent, settle_on_account(intent.id))
    return [_request(unit, intent, asked=False) for intent in written if intent.gateway != ACCOUNT]


def _intent(unit: Unit, number: int, draft: IntentDraft, method: _Method) -> Intent:
    return Intent(
        id=ids.intent_id(unit.order.id, number),
        payment_id=draft.payment_id,
        operation=draft.operation,
        amount=draft.amount,
        document_id=draft.document_id,
        outcome=Outcome.REQUESTED,
        reference=None,
        capture_ref=draft.capture_ref,
        code=None,
        action_key=unit.key,
        **method._asdict(),
    )


def _row(unit: Unit, intent: Intent) -> Values:
    return {
        "id": intent.id,
        "order_id": unit.order.id,
        "payment_id": intent.payment_id,
        "operation": intent.operation.value,
        "amount": intent.amount,
        "document_id": intent.document_id,
        "action_key": intent.action_key,
        "outcome": intent.outcome.value,
        "capture_ref": intent.capture_ref,
        "created_at": unit.now,
    }


async def settle(unit: Unit, outcomes: Sequence[GatewayOutcome]) -> list[GatewayRequest]:
    """Record *outcomes* of the action's intents; return those that are still unknown, to be asked about again."""
    for outcome in outcomes:
        await record_outcome(unit, outcome)
    return [_request(unit, intent, asked=True) for intent in await action_intents(unit) if intent.outcome not in _FINAL]


async def settle_from_webhook(unit: Unit, body: JsonObject) -> None:
    """Record what a gateway's webhook (`GatewayNotice`) says; it may be early, late or a repetition."""
    notice = GatewayNotice.model_validate(body)
    await record_outcome(
        unit,
        GatewayOutcome(
            intent_id=notice.intent_id,
            outcome=notice.outcome,
            reference=notice.reference,
            code=notice.code,
            expires_at=notice.expires_at,
        ),
    )


async def record_outcome(unit: Unit, outcome: GatewayOutcome) -> None:
    """Apply one outcome to its intent; one that contradicts what is settled is journaled and changes nothing."""
    intent = next((intent for intent in await _intents(unit) if intent.id == outcome.intent_id), None)
    if intent is None:
        _journal_unexpected(unit, outcome, "intent_unknown")
    elif intent.outcome not in _FINAL:
        _transition(unit, intent, outcome)
    elif outcome.outcome not in {Outcome.UNKNOWN, intent.outcome}:
        _journal_unexpected(unit, outcome, f"intent_{intent.outcome}")


def record_given_authorization(unit: Unit, payment_id: str, amount: int) -> None:
    """Post what the channel authorised before the order was placed; the payment's row holds its reference."""
    unit.post(Posting(debit=Account.GATEWAY, credit=Account.AUTHORISED, amount=amount, payment_id=payment_id))


def record_given_capture(unit: Unit, number: int, payment_id: str, reference: str, amount: int) -> None:
    """Write down, as intent *number*, what the channel captured before it placed the order: it can be refunded."""
    unit.enter(
        payment_intents,
        {
            "id": ids.intent_id(unit.order.id, number),
            "order_id": unit.order.id,
            "payment_id": payment_id,
            "operation": GatewayOperation.CAPTURE.value,
            "amount": amount,
            "action_key": unit.key,
            "outcome": Outcome.SUCCEEDED.value,
            "reference": reference,
            "code": GIVEN,
            "created_at": unit.now,
            "settled_at": unit.now,
        },
    )
    unit.forget(_ASKED)
    unit.post(Posting(debit=Account.GATEWAY, credit=Account.CAPTURED, amount=amount, payment_id=payment_id))


async def action_intents(unit: Unit) -> list[Intent]:
    """Return the intents that this action's prepare phase wrote, in the order of their writing."""
    return [intent for intent in await _intents(unit) if intent.action_key == unit.key]


async def call_intents(unit: Unit, call: str) -> list[Intent]:
    """Return the intents that any attempt of the call with this key wrote, in the order of their writing."""
    return [
        intent
        for intent in await _intents(unit)
        if intent.action_key == call or intent.action_key.startswith(f"{call}!")
    ]


async def order_intents(unit: Unit, operation: GatewayOperation) -> list[Intent]:
    """Return all of the order's intents of one operation, in the order of their writing."""
    return [intent for intent in await _intents(unit) if intent.operation is operation]


async def _intents(unit: Unit) -> tuple[Intent, ...]:
    return (await _asked(unit)).intents


async def _asked(unit: Unit) -> _Asked:
    known = unit.recall(_ASKED)
    if known is None:
        methods = {id: _Method(*method) for id, _, _, _, *method in await unit.book(PAYMENTS)}
        known = _Asked(methods, tuple(_read(methods, row) for row in await unit.book(INTENTS)))
        unit.remember(_ASKED, known)
    return known


def _transition(unit: Unit, intent: Intent, outcome: GatewayOutcome) -> None:
    final = outcome.outcome in _FINAL
    # A gateway that gives no id of its own knows what it did by our intent's.
    reference = (outcome.reference or intent.id) if outcome.outcome is Outcome.SUCCEEDED else None
    told: Values = {"outcome": outcome.outcome.value, "reference": reference, "code": outcome.code}
    unit.change(payment_intents, {"id": intent.id}, {**told, "settled_at": unit.now if final else None})
    _remember(unit, replace(intent, outcome=outcome.outcome, reference=reference, code=outcome.code))
    if not final:
        return
    facts: JsonObject = {"payment": intent.payment_id, "amount": intent.amount, "intent": intent.id}
    if outcome.outcome is Outcome.FAILED:
        unit.journal("payment.declined", {**facts, "operation": intent.operation.value, "code": outcome.code})
        return
    unit.journal(_DONE[intent.operation], facts)
    _post(unit, intent)
    if intent.operation is GatewayOperation.AUTHORIZE:
        kept = {"authorization_ref": outcome.reference, "expires_at": outcome.expires_at}
        unit.change(payments, {"id": intent.payment_id}, kept)
        unit.forget(_ASKED)


def _remember(unit: Unit, intent: Intent) -> None:
    known = unit.recall(_ASKED)
    if known is not None:
        intents = tuple(intent if each.id == intent.id else each for each in known.intents)
        unit.remember(_ASKED, known._replace(intents=intents))


def _post(unit: Unit, intent: Intent) -> None:
    """Post what a successful intent moved; a capture for an invoice is applied to it in the same breath."""
    match intent.operation:
        case GatewayOperation.AUTHORIZE:
            _move(unit, intent, Account.GATEWAY, Account.AUTHORISED)
        case GatewayOperation.REVERSE:
            _move(unit, intent, Account.AUTHORISED, Account.GATEWAY)
        case GatewayOperation.REFUND:
            source = Account.CAPTURED if intent.document_id is None else Account.APPLIED
            _move(unit, intent, source, Account.REFUNDED, intent.document_id)
        case GatewayOperation.CAPTURE:
            source = Account.GATEWAY if intent.authorization_ref is None else Account.AUTHORISED
            _move(unit, intent, source, Account.CAPTURED)
            if intent.document_id is not None:
                _move(unit, intent, Account.CAPTURED, Account.APPLIED, intent.document_id)


def _move(unit: Unit, intent: Intent, source: Account, target: Account, document_id: str | None = None) -> None:
    unit.post(
        Posting(
            debit=source, credit=target, amount=intent.amount, payment_id=intent.payment_id, document_id=document_id
        )
    )


def _journal_unexpected(unit: Unit, outcome: GatewayOutcome, reason: str) -> None:
    unit.journal(
        "event.unexpected",
        {
            "type": "payment.updated",
            "intent": outcome.intent_id,
            "outcome": outcome.outcome.value,
            "reason": reason,
        },
    )


def _request(unit: Unit, intent: Intent, *, asked: bool) -> GatewayRequest:
    reference = {
        GatewayOperation.AUTHORIZE: intent.token,
        GatewayOperation.CAPTURE: intent.authorization_ref,
        GatewayOperation.REVERSE: intent.authorization_ref,
        GatewayOperation.REFUND: intent.capture_ref,
    }[intent.operation]
    assert reference is not None, f"intent {intent.id} has nothing that its gateway would know it by"
    return GatewayRequest(
        intent_id=intent.id,
        operation=intent.operation,
        gateway=intent.gateway,
        reference=reference,
        amount=intent.amount,
        currency=unit.order.currency,
        now=unit.now,
        asked=asked,
    )


def _read(methods: Mapping[str, _Method], row: Sequence[Any]) -> Intent:
    values = dict(zip(INTENTS.columns, row, strict=True))
    operation, outcome = GatewayOperation(values.pop("operation")), Outcome(values.pop("outcome"))
    return Intent(operation=operation, outcome=outcome, **values, **methods[values["payment_id"]]._asdict())
