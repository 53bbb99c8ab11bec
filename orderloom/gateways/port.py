"""What Orderloom needs of a payment gateway. Adapters tell what they know, and say unknown when they do not."""

from typing import Protocol

from orderloom.contracts.outside import GatewayOutcome, GatewayRequest


class PaymentGateway(Protocol):
    """A party outside that moves money, once per intent id."""

    async def perform(self, request: GatewayRequest) -> GatewayOutcome:
        """
        Ask the gateway to do *request* and return what came of it.

        Only a definite answer is ``succeeded`` or ``failed``; silence, a broken connection or an answer that cannot
        be read is ``unknown``, because the gateway may have done it.
        """
        ...

    async def lookup(self, intent_id: str) -> GatewayOutcome | None:
        """
        Return what became of an intent, None if the gateway has never seen it, ``unknown`` if it cannot tell now.

        Moves no money.
        """
        ...
