"""What a channel decides for its orders: currency, stock promise, routing, tax, payment."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from orderloom.domain.exception_policy import ExceptionPolicy
from orderloom.domain.model import Frozen, Identifier
from orderloom.domain.money import Currency


class RoutingPolicy(Frozen):
    """How routes are looked for, and how often."""

    max_splits: Annotated[int, Field(ge=0, le=100)] | None = None
    """Splits = locations - 1; None is no limit."""
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    """Attempts in all, before routing is abandoned."""
    backoff: Annotated[float, Field(ge=0)] = 3600.0
    """Seconds before the second attempt."""
    backoff_factor: Annotated[float, Field(ge=1)] = 2.0
    """Each later wait is this much longer."""
    backoff_limit: Annotated[float, Field(ge=0)] = 86_400.0
    """No wait is longer, in seconds."""
    when_abandoned: Literal["keep", "release"] = "keep"
    """What becomes of the reservation."""


class TaxPolicy(Frozen):
    """Net prices: tax comes on top, half-up per tax category (reference 6e)."""

    rates: dict[str, Annotated[Decimal, Field(ge=0, le=1)]] = {"standard": Decimal(0)}
    """Tax category to rate: ``0.10`` is ten percent."""


class ChannelPolicy(Frozen):
    """The settings of a channel. An order keeps those that were in force when it was placed."""

    currency: Currency
    location_group: Identifier
    reserve: Literal["placing", "routing"] = "placing"
    when_short: Literal["accept", "refuse"] = "accept"
    """What to do with an order that cannot be reserved in full when placed."""
    remorse: Annotated[float, Field(ge=0)] = 0.0
    """Seconds during which nothing is routed, so that the customer may think again."""
    price: Literal["listed", "given"] = "listed"
    """``listed``: unit prices must equal the channel's price list. ``given``: taken as sent."""
    gateway: Identifier = "sandbox"
    routing: RoutingPolicy = RoutingPolicy()
    tax: TaxPolicy = TaxPolicy()
    exceptions: ExceptionPolicy = ExceptionPolicy()
    service_window: Annotated[float, Field(ge=0)] = 90 * 86_400.0
    """Seconds that a finished order stays open for commands."""
