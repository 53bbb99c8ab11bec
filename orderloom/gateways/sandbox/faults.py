"""Faults that the sandbox gateway has on demand, so that every bad day of a gateway can be had at will."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from orderloom.contracts.outside import GatewayOperation, GatewayRequest
from orderloom.domain.model import Frozen

TIMEOUT_TOKEN = "tok_timeout"  # noqa: S105 - the public name of a test payment method, no secret
"""Captures of this payment method are done, but their answer does not come."""


class FaultKind(StrEnum):
    """What can go wrong."""

    DECLINE = "decline"
    """The answer is a failure with the fault's code."""
    TIMEOUT_AFTER = "timeout_after"
    """It is done, but the answer does not come in time."""
    TIMEOUT_BEFORE = "timeout_before"
    """Nothing is done, and no answer comes in time."""
    DUPLICATE_WEBHOOK = "duplicate_webhook"
    """The webhook is sent twice, with the same event id."""
    EARLY_WEBHOOK = "early_webhook"
    """The webhook is sent before the answer."""
    UNAVAILABLE = "unavailable"
    """503; without any condition it meets lookups too."""


class Fault(Frozen):
    """One fault: its conditions must all hold, and it strikes from the nth such call on, so many times."""

    kind: FaultKind
    operation: GatewayOperation | None = None
    token: str | None = None
    amount: int | None = None
    nth: Annotated[int, Field(ge=1)] = 1
    times: Annotated[int, Field(ge=1)] = 1
    code: str = "card_declined"
    """For ``decline``."""

    def meets(self, request: GatewayRequest | None, token: str | None) -> bool:
        """Tell whether the conditions hold; a lookup (no *request*) meets only an unconditional ``unavailable``."""
        if request is None:
            conditions = (self.operation, self.token, self.amount)
            return self.kind is FaultKind.UNAVAILABLE and conditions == (None, None, None)
        return (
            self.operation in {None, request.operation}
            and self.token in {None, token}
            and self.amount in {None, request.amount}
        )


class FaultBoard:
    """The faults in force, and how often each was met."""

    def __init__(self) -> None:
        """Start without faults."""
        self._faults: list[Fault] = []
        self._met: list[int] = []

    def add(self, fault: Fault) -> None:
        """Put *fault* in force."""
        self._faults.append(fault)
        self._met.append(0)

    def clear(self) -> None:
        """Lift all faults."""
        self._faults.clear()
        self._met.clear()

    def strike(self, request: GatewayRequest | None, token: str | None) -> dict[FaultKind, Fault]:
        """Count a call (None for a lookup) against every fault that it meets; return those that strike, by kind."""
        struck: dict[FaultKind, Fault] = {}
        for index, fault in enumerate(self._faults):
            if not fault.meets(request, token):
                continue
            self._met[index] += 1
            if fault.nth <= self._met[index] < fault.nth + fault.times:
                struck.setdefault(fault.kind, fault)
        if request is not None and token == TIMEOUT_TOKEN and request.operation is GatewayOperation.CAPTURE:
            struck.setdefault(FaultKind.TIMEOUT_AFTER, Fault(kind=FaultKind.TIMEOUT_AFTER, token=TIMEOUT_TOKEN))
        return struck
