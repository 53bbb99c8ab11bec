"""What a transaction leaves to be asked of gateways."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from orderloom.contracts.messages import ActionDone, Recorded, RunAction
from orderloom.contracts.outside import GatewayRequest


@dataclass(frozen=True, kw_only=True)
class Question:
    """What gateways are to be asked for an action when the transaction that has prepared it is committed."""

    activity: str
    """The action."""
    request: RunAction
    """As the action's settling takes it."""
    requests: Sequence[GatewayRequest]
    """None of them has been sent before."""


class Ask(Protocol):
    """Asks gateways what a committed transaction has left to be asked."""

    async def __call__[R: (ActionDone, Recorded)](self, question: Question, done: R) -> R:
        """Return *done*, which the transaction answers, with what came of it."""
        ...
