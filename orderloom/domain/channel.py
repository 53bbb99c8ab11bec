"""What a channel decides for its orders: currency, stock promise, routing, tax, payment."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from orderloom.domain.exception_policy import ExceptionPolicy
from orderloom.domain.model import Frozen, Identifier
from orderloom.domain.money import Currency
from orderloom.domain.routing_policy import RoutingPolicy

type Promise = Literal["ato", "atf"]
"""What a location group promises by: ``ato`` what is available to order, ``atf`` what is available to fulfill."""


class TaxPolicy(Frozen):
    """Net prices: tax comes on top, half-up per tax category (reference 6e)."""

    rates: dict[str, Annotated[Decimal, Field(ge=0, le=1)]] = {"standard": Decimal(0)}
    """Tax category to rate: ``0.10`` is ten percent."""


class ChannelPolicy(Frozen):
    """The settings of a channel. An order keeps those that were in force when it was placed."""

    currency: Currency
    location_group: Identifier
    reserve: Literal["placing", "routing"] = "placing"
    promise: Promise = "ato"
    """By what stock is reserved at the location group (reference 6h); at a location it is always ``atf``."""
    when_short: Literal["accept", "refuse"] = "accept"
    """What to do with an order of more than can be promised, where no sell-ahead policy names the SKU."""
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
