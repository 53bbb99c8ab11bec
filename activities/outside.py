"""The activities that ask parties outside. They run on the queue for the outside and touch no table."""

from collections.abc import Collection, Mapping

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.beating import heard_of
from activities.calling import HttpCaller
from flows_dsl.runner import FlowFailure
from orderloom.contracts.outside import (
    CALL_OUTSIDE,
    PERFORM_GATEWAY_REQUEST,
    GatewayOutcome,
    GatewayRequest,
    Outcome,
    OutsideAnswer,
    OutsideCall,
)
from orderloom.gateways.port import PaymentGateway

GATEWAY_UNKNOWN = "gateway.unknown"
"""Error type: the gateway has not said what became of the intent. Asking again settles it."""

GATEWAY_NOT_CONFIGURED = "gateway.not_configured"
"""Error type: this worker has no adapter for the gateway. Nothing was sent; another worker may have one."""


class OutsideActivities:
    """Activities on queue ``outside``, over the gateways of one deployment and the hosts that its flows may call."""

    def __init__(self, gateways: Mapping[str, PaymentGateway], hosts: Collection[str] = ()) -> None:
        """Take the adapter of every gateway name that payments may carry, and hosts as ``host`` or ``host:port``."""
        self._gateways = dict(gateways)
        self._caller = HttpCaller(hosts)

    @activity.defn(name=PERFORM_GATEWAY_REQUEST)
    async def perform_gateway_request(self, request: GatewayRequest) -> GatewayOutcome:
        """
        Have one intent performed and return its definite outcome.

        Only the first attempt of an intent sends it; any later one asks first what became of it, and sends it only
        if the gateway never saw it.

        Raises:
            ApplicationError: ``gateway.unknown`` or ``gateway.not_configured``; both are worth another attempt.
        """
        gateway = self._gateways.get(request.gateway)
        if gateway is None:
            raise _retryable(f"no adapter for gateway {request.gateway!r}", GATEWAY_NOT_CONFIGURED)
        async with heard_of():
            outcome = await _ask(gateway, request, sent_before=request.asked or activity.info().attempt > 1)
        if outcome.outcome is Outcome.UNKNOWN:
            raise _retryable(f"intent {request.intent_id}: {outcome.code or 'no answer'}", GATEWAY_UNKNOWN)
        return outcome

    @activity.defn(name=CALL_OUTSIDE)
    async def call_outside(self, call: OutsideCall) -> OutsideAnswer:
        """
        Make a call to the outside of a flow and return the answer or the error; it never fails.

        When the worker dies another one makes the call once more, with the same Idempotency-Key.
        """
        async with heard_of():
            try:
                return OutsideAnswer(answer=await self._caller.call(call.call, call.key, call.arguments))
            except FlowFailure as failure:
                return OutsideAnswer(error=failure.problem)


async def _ask(gateway: PaymentGateway, request: GatewayRequest, *, sent_before: bool) -> GatewayOutcome:
    if sent_before and (known := await gateway.lookup(request.intent_id)) is not None:
        return known
    return await gateway.perform(request)


def _retryable(detail: str, type: str) -> ApplicationError:
    return ApplicationError(detail, type=type, category=ApplicationErrorCategory.BENIGN)
