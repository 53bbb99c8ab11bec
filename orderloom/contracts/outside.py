"""What is asked of parties outside, and what came of it. Sent through Temporal: ids and amounts, no personal data."""

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime

from orderloom.domain.errors import Problem
from orderloom.domain.model import Json, JsonObject, Message

PERFORM_GATEWAY_REQUEST = "perform-gateway-request"
"""The activity on queue ``outside`` that takes a ``GatewayRequest`` and returns a ``GatewayOutcome``."""

CALL_OUTSIDE = "call-outside"
"""The activity on queue ``outside`` that takes an ``OutsideCall`` and returns an ``OutsideAnswer``."""


class GatewayOperation(StrEnum):
    """What a gateway can be asked to do."""

    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    REFUND = "refund"
    REVERSE = "reverse"


class Outcome(StrEnum):
    """The four values of a money outcome (reference 6m). ``requested`` is an intent without an answer yet."""

    REQUESTED = "requested"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


class GatewayRequest(Message):
    """One intent, to be performed once. Its id is the gateway's idempotency key."""

    intent_id: str
    operation: GatewayOperation
    gateway: str
    reference: str
    """The gateway's token of the payment method (authorize), or its id of the authorisation or capture."""
    amount: int
    """Minor units of ``currency``."""
    currency: str
    now: AwareDatetime
    """Business time."""
    asked: bool = False
    """It may have reached the gateway before: ask what became of it, send it only if the gateway never saw it."""


class GatewayOutcome(Message):
    """What the gateway says of an intent."""

    intent_id: str
    outcome: Literal[Outcome.SUCCEEDED, Outcome.FAILED, Outcome.UNKNOWN]
    reference: str | None = None
    """The gateway's id of the authorisation, capture or refund."""
    code: str | None = None
    """The gateway's reason for a failure, such as ``card_declined``."""
    expires_at: AwareDatetime | None = None
    """When an authorisation lapses."""


class GatewayNotice(Message):
    """What a gateway's webhook says of an intent; it may come before the answer, after it, or twice."""

    event_id: str
    intent_id: str
    operation: GatewayOperation
    outcome: Literal[Outcome.SUCCEEDED, Outcome.FAILED]
    reference: str | None = None
    code: str | None = None
    expires_at: AwareDatetime | None = None
    amount: int
    """Minor units of ``currency``."""
    currency: str


class OutsideCall(Message):
    """One ``call: http`` or ``call: openapi`` of an order's flow."""

    call: str
    """``http`` or ``openapi``."""
    key: str
    """Of the step, within all orders: the other side is sent a digest of it, and answers a repetition as before."""
    arguments: JsonObject
    """As ``flows_dsl.outside_calls`` has them for the call, evaluated."""


class OutsideAnswer(Message):
    """What came of a call to the outside: what its ``output`` asked for, or the error."""

    answer: Json = None
    """At most 16 KB."""
    error: Problem | None = None
