"""The sandbox gateway as an HTTP server: the protocol that `orderloom.gateways.http` speaks, and its controls."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse

from orderloom.contracts.outside import GatewayNotice, GatewayOutcome, GatewayRequest
from orderloom.gateways.sandbox.books import Books, Given, IntentReusedError
from orderloom.gateways.sandbox.faults import Fault, FaultBoard, FaultKind
from orderloom.gateways.sandbox.statement import Statement
from orderloom.gateways.sandbox.webhooks import Courier

WEBHOOK_DELAYS = (0.5, 1.0, 2.0, 4.0, 10.0, 60.0, 600.0)
"""Seconds before each further delivery of a webhook that was not taken."""


class SandboxGateway:
    """The gateway behind the routes: books, faults and courier."""

    def __init__(self, books: Books, courier: Courier, *, hang_seconds: float) -> None:
        """
        Take the books and the courier.

        Args:
            hang_seconds: how long a call hangs before it is answered 504, when it is to time out.
        """
        self.books = books
        self.courier = courier
        self.faults = FaultBoard()
        self._hang_seconds = hang_seconds

    async def perform(self, request: GatewayRequest) -> Response:
        """Do what is asked, as far as the faults in force let it."""
        struck = self.faults.strike(request, self.books.token(request))
        if FaultKind.UNAVAILABLE in struck:
            return _refusal(503, "unavailable", request.intent_id)
        if FaultKind.TIMEOUT_BEFORE in struck:
            return await self._hang(request)
        decline = struck.get(FaultKind.DECLINE)
        is_new = self.books.answer(request.intent_id) is None
        try:
            outcome = self.books.perform(request, decline=decline.code if decline else None)
        except IntentReusedError:
            return _refusal(409, "intent_reused", request.intent_id)
        if is_new:
            await self._notify(self.books.notice(request.intent_id), struck)
        return await self._hang(request) if FaultKind.TIMEOUT_AFTER in struck else _json(outcome)

    def lookup(self, intent_id: str) -> Response:
        """Say what became of an intent."""
        if self.faults.strike(None, None):
            return _refusal(503, "unavailable", intent_id)
        outcome = self.books.answer(intent_id)
        return _refusal(404, "intent_unknown", intent_id) if outcome is None else _json(outcome)

    async def _notify(self, notice: GatewayNotice, struck: dict[FaultKind, Fault]) -> None:
        if FaultKind.EARLY_WEBHOOK in struck:
            await self.courier.send_now(notice)
        else:
            self.courier.send(notice)
        if FaultKind.DUPLICATE_WEBHOOK in struck:
            self.courier.send(notice)

    async def _hang(self, request: GatewayRequest) -> Response:
        await asyncio.sleep(self._hang_seconds)
        return _refusal(504, "timeout", request.intent_id)


def create_gateway_app(
    books: Books,
    webhook_url: str | None,
    *,
    hang_seconds: float = 3.0,
    webhook_lag: float = 0.2,
    webhook_delays: Sequence[float] = WEBHOOK_DELAYS,
) -> FastAPI:
    """
    Return the sandbox gateway as an application, for the event loop that runs.

    Args:
        books: the caller closes them.
        webhook_url: where outcomes are told, such as ``http://127.0.0.1:8000/v1/gateways/sandbox/webhooks``.
        hang_seconds: how long a call hangs that is to time out.
        webhook_lag: seconds between an operation and its webhook.
        webhook_delays: seconds before each further delivery of a webhook that was not taken.
    """
    courier = Courier(webhook_url, lag=webhook_lag, delays=webhook_delays, told=books.told)
    gateway = SandboxGateway(books, courier, hang_seconds=hang_seconds)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        for notice in books.untold():
            courier.send(notice)
        yield
        await courier.close()

    app = FastAPI(title="Orderloom sandbox gateway", lifespan=lifespan)
    app.state.gateway = gateway
    _add_operations(app, gateway)
    _add_controls(app, gateway)
    return app


def _add_operations(app: FastAPI, gateway: SandboxGateway) -> None:
    async def perform(request: GatewayRequest) -> Response:
        """Authorise, capture, refund or reverse, once per intent id."""
        if request.amount <= 0:
            return _refusal(422, "amount_not_positive", request.intent_id)
        return await gateway.perform(request)

    async def lookup(intent_id: str) -> Response:
        """Say what became of an intent; 404 means that it was never seen."""
        return gateway.lookup(intent_id)

    app.post("/operations", response_model=GatewayOutcome)(perform)
    app.get("/operations/{intent_id:path}", response_model=GatewayOutcome)(lookup)


def _add_controls(app: FastAPI, gateway: SandboxGateway) -> None:
    async def give(given: Given) -> None:
        """Write down an authorisation or capture that a channel made at checkout."""
        gateway.books.give(given)

    async def statement() -> Statement:
        """Add up the books."""
        return gateway.books.statement()

    async def add_fault(fault: Fault) -> None:
        """Put a fault in force."""
        gateway.faults.add(fault)

    async def clear_faults() -> None:
        """Lift all faults."""
        gateway.faults.clear()

    async def webhooks() -> dict[str, int]:
        """Tell how many webhooks are on their way."""
        return {"undelivered": gateway.courier.undelivered}

    app.post("/references", status_code=204)(give)
    app.get("/books")(statement)
    app.post("/faults", status_code=204)(add_fault)
    app.delete("/faults", status_code=204)(clear_faults)
    app.get("/webhooks")(webhooks)


def _json(outcome: GatewayOutcome) -> Response:
    return JSONResponse(outcome.model_dump(mode="json"))


def _refusal(status: int, code: str, intent_id: str) -> Response:
    return JSONResponse({"code": code, "intent_id": intent_id}, status_code=status)
