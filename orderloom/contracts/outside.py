"""What is asked of a payment gateway, and what came of it. Sent through Temporal: ids and amounts only."""

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime

from orderloom.domain.model import Message


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
