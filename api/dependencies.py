"""What the API is given by whoever starts it, and how its endpoints get at it."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Protocol

from fastapi import Depends, Header, Query, Request
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.errors import IdempotencyKeyRequired
from orderloom.bootstrap.health import Probe
from orderloom.contracts.messages import Delivery, Receipt
from orderloom.contracts.moving import Whereabouts
from orderloom.persistence.starting import Start
from orderloom.persistence.vault import Vault
from orderloom.readmodels.snapshot import MAX_PAGE, snapshot

MAX_BODY = 4 * 1024 * 1024
"""Bytes of a request's body, unless set otherwise: 2,000 lines with texts fit three times."""

PATIENCE = 2.0
"""Seconds that a request waits for the order's workflow before it answers 202."""


class Clock(Protocol):
    """Tells the business time."""

    def now(self) -> datetime:
        """Return the business time of now."""
        ...


class Deliver(Protocol):
    """Brings an intake row to its order's workflow."""

    async def __call__(
        self, order_id: str, delivery: Delivery, *, within: float, start: Start | None
    ) -> Receipt | None:
        """
        Return what became of it, or None when no worker answered within that many seconds.

        Args:
            start: what the workflow starts with, if that is known.
        """
        ...


class AskWhereabouts(Protocol):
    """Asks an order's workflow where its instances stand."""

    async def __call__(self, order_id: str) -> list[Whereabouts]:
        """Return the instances under way; none when the order has no workflow."""
        ...


@dataclass(frozen=True, kw_only=True)
class ApiDependencies:
    """Everything that the API needs. One per application."""

    engine: AsyncEngine
    vault: Vault
    clock: Clock
    deliver: Deliver
    whereabouts: AskWhereabouts
    workflows_ready: Probe
    """Whether Temporal answers."""
    max_body: int = MAX_BODY
    patience: float = PATIENCE


def of(request: Request) -> ApiDependencies:
    """Return what the application of *request* was given."""
    found: object = request.app.state.dependencies
    assert isinstance(found, ApiDependencies)
    return found


async def _snapshot(request: Request) -> AsyncGenerator[AsyncConnection]:
    async with snapshot(of(request).engine) as conn:
        yield conn


# Dependencies are coroutines even where they wait for nothing: FastAPI hands a plain function to a thread.
async def _given(request: Request) -> ApiDependencies:
    return of(request)


async def _idempotency_key(
    idempotency_key: Annotated[
        str | None,
        Header(
            description="Required. New for each change you want; the same when you repeat a request. Repeated with "
            "the same body it gets the same answer, with another body an error.",
            examples=["place-W-1001"],
        ),
    ] = None,
) -> str:
    if idempotency_key is None:
        raise IdempotencyKeyRequired("the header Idempotency-Key is missing")
    if not 1 <= len(idempotency_key) <= 200 or not (idempotency_key.isascii() and idempotency_key.isprintable()):
        raise IdempotencyKeyRequired("the header Idempotency-Key is not 1 to 200 printable ASCII characters")
    return idempotency_key


Given = Annotated[ApiDependencies, Depends(_given)]
"""The application's dependencies."""

Reading = Annotated[AsyncConnection, Depends(_snapshot)]
"""A connection that sees one moment and cannot write."""

IdempotencyKey = Annotated[str, Depends(_idempotency_key)]
"""The header that every change carries."""

MAX_NUMBER = 2**31 - 1
"""The highest number that anything within an order can have; PostgreSQL reads no higher one."""

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="How many at most.")]
"""Size of a page."""
