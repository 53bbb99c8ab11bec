"""Counts around the parts of a process: each wrapper does what it wraps does, and notes how long it took."""

from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any

from prometheus_client import Counter, Histogram
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity, client, worker
from temporalio.common import TypedSearchAttributes
from temporalio.exceptions import ApplicationError

from orderloom.bootstrap.clock import Clock
from orderloom.bootstrap.delivery import Courier
from orderloom.contracts.messages import Delivery, Receipt, RecordDelivery, Recorded
from orderloom.contracts.outside import GatewayOutcome, GatewayRequest, Outcome
from orderloom.contracts.pools import ROUTE_WAVE, WaveRouted
from orderloom.contracts.queues import RECORD
from orderloom.gateways.port import PaymentGateway
from orderloom.persistence.intake import ORDER_PLACED
from orderloom.persistence.starting import Start

type Message = MutableMapping[str, Any]
type Send = Callable[[Message], Awaitable[None]]
type Receive = Callable[[], Awaitable[Message]]
type App = Callable[[Message, Receive, Send], Awaitable[None]]

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Others are counted as one: a label must not hold what anybody sends."""


class ActivityCounter(client.Interceptor, worker.Interceptor):
    """Counts local activities and waves; given to a client, it watches that client's workers."""

    def __init__(self, transactions: Histogram, placed: Counter, waves: Histogram, in_waves: Counter) -> None:
        """Take where transactions are noted, accepted placements, waves, and the orders that these took."""
        self._transactions = transactions
        self._placed = placed
        self._waves = waves
        self._in_waves = in_waves

    def intercept_activity(self, next: worker.ActivityInboundInterceptor) -> worker.ActivityInboundInterceptor:
        """Return what runs an activity and counts it."""
        of_waves = _CountedWave(next, self._waves, self._in_waves)
        return _CountedTransaction(of_waves, self._transactions, self._placed)


class _CountedTransaction(worker.ActivityInboundInterceptor):
    def __init__(self, next: worker.ActivityInboundInterceptor, transactions: Histogram, placed: Counter) -> None:
        super().__init__(next)
        self._transactions = transactions
        self._placed = placed

    async def execute_activity(self, input: worker.ExecuteActivityInput) -> Any:
        info = activity.info()
        if not info.is_local:
            return await super().execute_activity(input)
        began, outcome = perf_counter(), "failed"
        try:
            done = await super().execute_activity(input)
            outcome = "done"
        except ApplicationError:
            outcome = "refused"
            raise
        finally:
            self._transactions.labels(info.activity_type, outcome).observe(perf_counter() - began)
        if info.activity_type == RECORD and _is_placed(input.args[0], done):
            self._placed.inc()
        return done


class _CountedWave(worker.ActivityInboundInterceptor):
    def __init__(self, next: worker.ActivityInboundInterceptor, waves: Histogram, in_waves: Counter) -> None:
        super().__init__(next)
        self._waves = waves
        self._in_waves = in_waves

    async def execute_activity(self, input: worker.ExecuteActivityInput) -> Any:
        if activity.info().activity_type != ROUTE_WAVE:
            return await super().execute_activity(input)
        began, outcome = perf_counter(), "failed"
        try:
            done: WaveRouted = await super().execute_activity(input)
            outcome = "done"
        finally:
            self._waves.labels(outcome).observe(perf_counter() - began)
        self._in_waves.labels("proposed").inc(done.orders - done.left_over)
        self._in_waves.labels("left_over").inc(done.left_over)
        return done


def _is_placed(asked: RecordDelivery, done: Recorded) -> bool:
    return asked.delivery.type == ORDER_PLACED and done.receipt.status == "accepted"


class CountedCourier(Courier):
    """A courier that counts what became of its deliveries."""

    def __init__(
        self,
        deliveries: Histogram,
        client: client.Client,
        engine: AsyncEngine,
        clock: Clock,
        noted: TypedSearchAttributes,
    ) -> None:
        """Take where deliveries are noted, and what a `Courier` takes."""
        super().__init__(client, engine, clock, noted)
        self._deliveries = deliveries

    async def __call__(
        self, order_id: str, delivery: Delivery, *, within: float, start: Start | None = None
    ) -> Receipt | None:
        """Deliver, as `Courier` does."""
        began, outcome = perf_counter(), "left"
        try:
            receipt = await super().__call__(order_id, delivery, within=within, start=start)
            if receipt is not None:
                outcome = "refused" if receipt.status == "refused" else "answered"
            return receipt
        finally:
            self._deliveries.labels(outcome).observe(perf_counter() - began)


class CountedGateway:
    """A payment gateway whose requests are counted."""

    def __init__(self, gateway: PaymentGateway, requests: Histogram) -> None:
        """Take the gateway, and where its requests are noted."""
        self._gateway = gateway
        self._requests = requests

    async def perform(self, request: GatewayRequest) -> GatewayOutcome:
        """See `PaymentGateway.perform`."""
        began, told = perf_counter(), Outcome.UNKNOWN
        try:
            outcome = await self._gateway.perform(request)
            told = outcome.outcome
            return outcome
        finally:
            # Whoever asks may have stopped waiting.
            self._requests.labels(request.operation, told).observe(perf_counter() - began)

    async def lookup(self, intent_id: str) -> GatewayOutcome | None:
        """See `PaymentGateway.lookup`."""
        began = perf_counter()
        outcome = await self._gateway.lookup(intent_id)
        found = "never_seen" if outcome is None else outcome.outcome
        self._requests.labels("lookup", found).observe(perf_counter() - began)
        return outcome


def counted_requests(app: App, requests: Histogram) -> App:
    """Return *app* with its HTTP requests counted; what it does after its answer is not part of them."""

    async def counted(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        began, status, answered = perf_counter(), 500, False

        def note() -> None:
            nonlocal answered
            if not answered:
                answered = True
                requests.labels(*_asked_for(scope), status).observe(perf_counter() - began)

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                note()

        try:
            await app(scope, receive, watch)
        finally:
            note()

    return counted


def _asked_for(scope: Message) -> tuple[str, str]:
    method = scope["method"] if scope["method"] in METHODS else "other"
    return method, getattr(scope.get("route"), "path", "none")
