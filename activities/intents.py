"""
Intents towards gateways: written before a gateway is asked, settled by whichever word of it comes first.

``requested`` and ``unknown`` become ``succeeded`` or ``failed``, once. The postings to the ledger of money are made on
that transition and nowhere else, so a repeated, late or early answer moves nothing (reference 6m).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Text, any_, bindparam, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from activities.unit import Unit
from orderloom.contracts.outside import GatewayNotice, GatewayOperation, GatewayOutcome, GatewayRequest, Outcome
from orderloom.domain import ids
from orderloom.domain.funds import Account, Posting
from orderloom.domain.model import JsonObject
from orderloom.gateways.account import ACCOUNT, settle_on_account
from orderloom.persistence.tables.payments import payment_intents, payments

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
    gateway: str
    token: str | None
    authorization_ref: str | None


async def write_intents(unit: Unit, drafts: Sequence[IntentDraft]) -> list[GatewayRequest]:
    """
    Write an intent for every draft and return what is to be asked of gateways outside.

    Intents on account are settled at once: our own books are their gateway, and nobody is asked.
    """
    first = await unit.next_number(payment_intents)
    rows = [
        {
            "id": ids.intent_id(unit.order.id, number),
            "order_id": unit.order.id,
            "payment_id": draft.payment_id,
            "operation": draft.operation.value,
            "amount": draft.amount,
            "document_id": draft.document_id,
            "action_key": unit.key,
            "outcome": Outcome.REQUESTED.value,
            "capture_ref": draft.capture_ref,
            "created_at": unit.now,
        }
        for number, draft in enumerate(drafts, start=first)
    ]
    unit.enter(payment_intents, *rows)
    written = await intents_of(unit, [str(row["id"]) for row in rows])
    for intent in written:
        if intent.gateway == ACCOUNT:
            _transition(unit, intent, settle_on_account(intent.id))
    return [_request(unit, intent, asked=False) for intent in written if intent.gateway != ACCOUNT]


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
    found = await intents_of(unit, [outcome.intent_id])
    if not found:
        _journal_unexpected(unit, outcome, "intent_unknown")
        return
    [intent] = found
    if intent.outcome not in _FINAL:
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
    unit.post(Posting(debit=Account.GATEWAY, credit=Account.CAPTURED, amount=amount, payment_id=payment_id))


_columns = payment_intents.c
_SELECTED = (
    select(
        _columns.id,
        _columns.payment_id,
        _columns.operation,
        _columns.amount,
        _columns.document_id,
        _columns.outcome,
        _columns.reference,
        _columns.capture_ref,
        _columns.code,
        payments.c.gateway,
        payments.c.token,
        payments.c.authorization_ref,
    )
    .join(payments, payments.c.id == _columns.payment_id)
    .where(_columns.order_id == bindparam("of_order"))
    .order_by(func.length(_columns.id), _columns.id)
)
_OF_ACTION = _SELECTED.where(_columns.action_key == bindparam("action_key"))
_OF_CALL = _SELECTED.where(
    or_(_columns.action_key == bindparam("call"), func.starts_with(_columns.action_key, bindparam("attempts")))
)
_OF_OPERATION = _SELECTED.where(_columns.operation == bindparam("operation"))
_OF_IDS = _SELECTED.where(_columns.id == any_(bindparam("ids", type_=ARRAY(Text))))


async def action_intents(unit: Unit) -> list[Intent]:
    """Return the intents that this action's prepare phase wrote, in the order of their writing."""
    return await _read(unit, _OF_ACTION, action_key=unit.key)


async def call_intents(unit: Unit, call: str) -> list[Intent]:
    """Return the intents that any attempt of the call with this key wrote, in the order of their writing."""
    return await _read(unit, _OF_CALL, call=call, attempts=f"{call}!")


async def order_intents(unit: Unit, operation: GatewayOperation) -> list[Intent]:
    """Return all of the order's intents of one operation, in the order of their writing."""
    return await _read(unit, _OF_OPERATION, operation=operation.value)


async def intents_of(unit: Unit, intent_ids: Sequence[str]) -> list[Intent]:
    """Return the order's intents with these ids, in the order of their writing."""
    return await _read(unit, _OF_IDS, ids=list(intent_ids))


def _transition(unit: Unit, intent: Intent, outcome: GatewayOutcome) -> None:
    final = outcome.outcome in _FINAL
    unit.change(
        payment_intents,
        {"id": intent.id},
        {
            "outcome": outcome.outcome.value,
            # A gateway that gives no id of its own knows what it did by our intent's.
            "reference": (outcome.reference or intent.id) if outcome.outcome is Outcome.SUCCEEDED else None,
            "code": outcome.code,
            "settled_at": unit.now if final else None,
        },
    )
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


async def _read(unit: Unit, query: Select[*tuple[Any, ...]], **values: Any) -> list[Intent]:
    return [
        Intent(
            id=row.id,
            payment_id=row.payment_id,
            operation=GatewayOperation(row.operation),
            amount=row.amount,
            document_id=row.document_id,
            outcome=Outcome(row.outcome),
            reference=row.reference,
            capture_ref=row.capture_ref,
            code=row.code,
            gateway=row.gateway,
            token=row.token,
            authorization_ref=row.authorization_ref,
        )
        for row in await unit.read(query, {"of_order": unit.order.id, **values})
    ]
