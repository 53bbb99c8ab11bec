"""The outcome that a scenario demands. A key left out is not compared; what is given must be exactly so."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from orderloom.scenarios.base import Amount, Duration, Name, Part, seconds
from orderloom.scenarios.durations import normal
from orderloom.scenarios.stock_steps import ReservationOutcome

Units = dict[Name, Annotated[int, Field(strict=True)]]

Elapsed = Annotated[Duration, AfterValidator(lambda text: normal(seconds(text)))]
"""Business time since the scenario's start, to the minute."""


class LineOutcome(Part):
    """One order line: quantities, status, money."""

    status: str | None = None
    quantity: int | None = None
    """Ordered - cancelled - returned."""
    ordered: int | None = None
    open: int | None = None
    """Ordered and not reserved."""
    reserved: int | None = None
    cancelled: int | None = None
    allocated: int | None = None
    """All that ever went into a fulfillment order and stayed, shipped or not."""
    fulfilled: int | None = None
    return_initiated: int | None = None
    returned: int | None = None
    available_to_cancel: int | None = None
    available_to_return: int | None = None
    total: Amount | None = None
    """With tax, of what is neither cancelled nor returned."""


class Totals(Part):
    """The order's totals (reference 2.1), of what is neither cancelled nor returned."""

    product: Amount | None = None
    """Line amounts of products before adjustments."""
    adjusted_product: Amount | None = None
    adjusted_delivery: Amount | None = None
    adjusted_fee: Amount | None = None
    product_tax: Amount | None = None
    delivery_tax: Amount | None = None
    total: Amount | None = None
    """Without tax."""
    tax: Amount | None = None
    grand_total: Amount | None = None


class Balances(Part):
    """What a change gives back: positive numbers lower the order."""

    grand_total: Amount | None = None
    total: Amount | None = None
    tax: Amount | None = None
    product: Amount | None = None
    delivery: Amount | None = None
    excess: Amount | None = None
    """Captured beyond what is owed then."""
    refundable: Amount | None = None


class FulfillmentOutcome(Part):
    """A fulfillment order, by number."""

    location: Name | None = None
    kind: Literal["digital", "dropship", "pickup", "warehouse"] | None = None
    delivery_group: Name | None = None
    status: Literal["allocated", "accepted", "picked", "fulfilled", "rejected", "cancelled"] | None = None
    lines: Units | None = None
    """What it holds now, without lines of quantity 0."""
    original: Units | None = None
    """What was asked of it."""
    rejected: Units | None = None
    """What it turned down, without zeros."""
    reasons: dict[Name, str] | None = None
    """Line to why it was turned down last."""
    held: bool | None = None
    """Nobody is to work on it."""
    total: Amount | None = None
    """With tax, of what it holds now."""


class InvoiceOutcome(Part):
    """An invoice, by number."""

    fulfillment: int | None = None
    """Number of its fulfillment order."""
    total: Amount | None = None
    balance: Amount | None = None
    """What no funds are applied to yet."""


class CreditMemoOutcome(Part):
    """A credit memo, by number."""

    total: Amount | None = None


class ChangeOrderOutcome(Part):
    """A change order, by number."""

    kind: Literal["cancel", "return"] | None = None
    total: Amount | None = None
    """With tax; negative, as it lowers the order."""
    before_fulfillment: bool | None = None


class PaymentOutcome(Part):
    """A payment, by position."""

    method: str | None = None
    authorized: Amount | None = None
    """Authorised and neither captured nor reversed."""
    captured: Amount | None = None
    """Captured in all, applied or not."""
    refunded: Amount | None = None
    reversed: Amount | None = None
    available_to_capture: Amount | None = None
    available_to_refund: Amount | None = None


class RouteOutcome(Part):
    """A route: its locations, and what each would send."""

    locations: list[Name] | None = None
    plan: dict[Name, Units] | None = None
    """Location to SKU to quantity."""


class PartOutcome(Part):
    """A part of an order that is routed by itself: a delivery group's digital, drop-shipped or other items."""

    delivery_group: Name | None = None
    kind: Literal["digital", "dropship", "pickup", "warehouse"] | None = None
    outcome: str | None = None
    chosen: list[Name] | None = None
    """Locations of the best route."""
    plan: dict[Name, Units] | None = None
    """The best route's plan: location to SKU to quantity; ``digital`` stands for no location."""
    short: Units | None = None

    @field_validator("chosen")
    @classmethod
    def _sort_chosen(cls, value: list[str] | None) -> list[str] | None:
        return value and sorted(value)


class AttemptOutcome(Part):
    """A routing attempt, by number: its whole answer. Without ``parts`` it is told of all parts together."""

    outcome: str | None = None
    chosen: list[Name] | None = None
    """Locations of the best route."""
    plan: dict[Name, Units] | None = None
    """The best route's plan: location to SKU to quantity."""
    routes: list[list[Name]] | None = None
    """Locations of every route with the fewest splits, best first."""
    short: Units | None = None
    """SKUs that are short, and by how much."""
    fewest_possible: int | None = None
    """The smallest number of locations that would do, when the split limit is below it."""
    proven: bool | None = None
    parts: list[PartOutcome] | None = None
    """Those without a choice first, then by delivery group."""
    schedule: int | None = None
    after: Elapsed | None = None
    """Business time since the scenario's start."""

    @field_validator("chosen")
    @classmethod
    def _sort_chosen(cls, value: list[str] | None) -> list[str] | None:
        return value and sorted(value)

    @field_validator("routes")
    @classmethod
    def _sort_routes(cls, value: list[list[str]] | None) -> list[list[str]] | None:
        return value and [sorted(route) for route in value]


class ScheduleOutcome(Part):
    """A routing schedule, by number. A bare word is its status."""

    status: Literal["scheduled", "completed", "abandoned"] | None = None
    reason: str | None = None
    after: Elapsed | None = None
    """When it is due, in business time since the scenario's start."""

    @model_validator(mode="before")
    @classmethod
    def _bare_status(cls, value: Any) -> Any:
        return {"status": value} if isinstance(value, str) else value


class ExceptionOutcome(Part):
    """A process exception, by number."""

    category: str | None = None
    code: str | None = None
    severity: Literal["High", "Low"] | None = None
    priority: Literal["High", "Low"] | None = None
    status: str | None = None
    owner: str | None = None
    overdue: bool | None = None
    """Its deadline has passed while it was active."""


class OrderOutcome(Part):
    """One order, as it stands now."""

    status: str | None = None
    lines: dict[Name, LineOutcome] | None = None
    totals: Totals | None = None
    fulfillments: list[FulfillmentOutcome] | None = None
    invoices: list[InvoiceOutcome] | None = None
    credit_memos: list[CreditMemoOutcome] | None = None
    change_orders: list[ChangeOrderOutcome] | None = None
    payments: list[PaymentOutcome] | None = None
    authorizations: list[Amount] | None = None
    """Amounts that the gateway authorised for this order, in order."""
    captures: list[Amount] | None = None
    """Amounts that were captured, in order."""
    refunds: list[Amount] | None = None
    reversals: list[Amount] | None = None
    excess: Amount | None = None
    """Captured beyond what is owed, and not refunded."""
    routing_attempts: int | None = None
    attempts: list[AttemptOutcome] | None = None
    schedules: list[ScheduleOutcome] | None = None
    exceptions: list[ExceptionOutcome] | None = None
    open_exceptions: int | None = None
    reservations: Units | None = None
    """Location or group to the units reserved there for this order, without zeros."""
    journal: Annotated[dict[str, int] | None, Field(description="Event type to how often it was journaled.")] = None
    order_of: list[str] | None = None
    """Event types in the order in which each of them first occurred."""
    never: list[str] | None = None
    """Event types, or gateway operations, that must not have occurred."""


class StockOutcome(Part):
    """Stock of one SKU. A bare number is what is on hand."""

    on_hand: int | None = None
    reserved: int | None = None
    atf: int | None = None
    """Available to fulfill."""
    ato: int | None = None
    """Available to order."""

    @model_validator(mode="before")
    @classmethod
    def _bare_number(cls, value: Any) -> Any:
        return {"on_hand": value} if isinstance(value, int) and not isinstance(value, bool) else value


class Summary(Part):
    """How many orders, over all of the scenario's, are in some state."""

    accepted: int | None = None
    reserved: int | None = None
    """Orders whose units are reserved or further."""
    waiting: int | None = None
    """Orders with a planned routing schedule."""
    exceptions: int | None = None
    """Open process exceptions."""


class Expectation(Part):
    """Orders by name, stock by location and group, and what must not have happened to anything."""

    orders: dict[Name, OrderOutcome] = {}
    stock: dict[Name, dict[Name, StockOutcome]] = {}
    """Location to SKU."""
    groups: dict[Name, dict[Name, StockOutcome]] = {}
    """Location group to SKU."""
    reservations: dict[Name, ReservationOutcome] = {}
    """Reservations that belong to no order."""
    capacity: dict[Name, list[int]] = {}
    """Location to the fulfillment orders that its capacity is held for or assigned to, by day, where there are any."""
    summary: Summary | None = None
    gateway: dict[Literal["capture", "refund"], int] | None = None
    """How many captures and refunds the gateway made for the case, by its own books."""
    never: list[str] = []
    """Event types, or gateway operations, that must not have occurred for any order."""
