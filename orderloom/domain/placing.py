"""What channels, people and locations send: an order to place, changes to it, and reports of its fulfillment."""

from collections.abc import Iterator, Sized
from typing import Annotated, Literal, Self, cast

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from orderloom.domain.errors import FieldProblem, InvalidInput, OrderloomError
from orderloom.domain.geo import Position
from orderloom.domain.model import Frozen, Identifier
from orderloom.domain.money import MAX_AMOUNT, Currency, Money
from orderloom.domain.rejections import Reason

MAX_LINES = 2_000
MAX_DELIVERY_GROUPS = 50
MAX_PAYMENTS = 20
MAX_ADJUSTMENTS = 20

Text = Annotated[str, StringConstraints(max_length=200)]
Quantity = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""An ISO 3166-1 alpha-2 code."""
Reference = Annotated[str, StringConstraints(min_length=1, max_length=200)]
"""A gateway's name for something."""


class TooManyLines(OrderloomError):
    """An order has at most 2,000 lines.

    Send it as several orders.
    """

    code = "order.too_many_lines"
    status = 422


def _refuse_too_many(value: object) -> object:
    """Refuse a long list before each of its entries is looked at."""
    count = len(cast("Sized", value)) if isinstance(value, list | tuple) else 0
    if count > MAX_LINES:
        raise PydanticCustomError(
            "order.too_many_lines",
            "must have at most {limit} entries, this has {count}: send it in several parts",
            {"limit": MAX_LINES, "count": count},
        )
    return cast("object", value)


class Customer(Frozen):
    """Who ordered: personal data, kept apart and encrypted."""

    reference: Text | None = None
    """The channel's own id of the customer."""
    name: Text | None = None
    email: Text | None = None
    phone: Text | None = None


class Address(Frozen):
    """Where goods go: personal data, kept apart and encrypted."""

    name: Text | None = None
    line1: Text
    line2: Text | None = None
    postal_code: Text | None = None
    city: Text
    region: Text | None = None
    country: Country


class DeliveryGroup(Frozen):
    """Lines that go to one recipient by one method. Country and position are what routing needs."""

    id: Identifier = "1"
    method: Identifier = "standard"
    recipient: Address | None = None
    country: Country
    position: Position | None = None
    pickup_location: Identifier | None = None
    """The location where the recipient fetches it: no other one may fulfill what is in stock."""


class Adjustment(Frozen):
    """A discount on a line: an amount of at most 0, without tax."""

    amount: Money
    reason: Text = ""

    @model_validator(mode="after")
    def _lowers(self) -> Self:
        if self.amount.amount > 0:
            raise PydanticCustomError("adjustment.raises", "must be 0 or negative: raise the unit price instead")
        return self


class PlaceLine(Frozen):
    """One line of an order; its prices are without tax. Only products are stock."""

    id: Identifier
    kind: Literal["product", "delivery", "fee"] = "product"
    sku: Identifier | None = None
    name: Text = ""
    delivery_group: Identifier | None = None
    """The order's first delivery group unless given."""
    quantity: Quantity
    unit_price: Money
    adjustments: Annotated[list[Adjustment], Field(max_length=MAX_ADJUSTMENTS)] = []
    tax: Money | None = None
    """Of the adjusted line; given, it is taken as it is (reference 6e)."""
    tax_category: Identifier | None = None
    """The product's own, or ``standard``, unless given."""

    @property
    def line_amount(self) -> int:
        """Return quantity x unit price, in minor units."""
        return self.quantity * self.unit_price.amount

    @property
    def adjustment(self) -> int:
        """Return the sum of the adjustments: at most 0."""
        return sum(adjustment.amount.amount for adjustment in self.adjustments)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind == "product" and self.sku is None:
            raise PydanticCustomError("line.sku_missing", "sku is required for a product: add it, or say another kind")
        if self.kind != "product" and self.sku is not None:
            raise PydanticCustomError("line.sku_unexpected", "sku is for products only: remove it, or say kind product")
        return self

    @model_validator(mode="after")
    def _priced(self) -> Self:
        tax = 0 if self.tax is None else self.tax.amount
        if self.unit_price.amount < 0 or tax < 0:
            raise PydanticCustomError(
                "line.negative", "unit_price and tax must not be negative: send a discount as an adjustment"
            )
        if self.line_amount + self.adjustment < 0:
            raise PydanticCustomError("line.negative", "adjustments must not exceed quantity x unit_price: lower them")
        return self


class GivenAuthorization(Frozen):
    """An authorisation that the channel already has."""

    reference: Reference
    """The gateway's id of it."""
    amount: Money
    expires_at: AwareDatetime | None = None


class GivenCapture(Frozen):
    """Money that the channel has already captured."""

    reference: Reference
    """The gateway's id of the capture, needed to refund it."""
    amount: Money


class PlacePayment(Frozen):
    """A tender. A card or gift card comes with a token to authorise, an authorisation, or what was captured."""

    method: Literal["card", "gift_card", "account"]
    gateway: Identifier | None = None
    """The channel's gateway unless given; ``account`` is paid into our books and has none."""
    token: Reference | None = None
    """The gateway's token of the payment method: never a card number."""
    amount: Money
    """What it may cover of the order."""
    authorization: GivenAuthorization | None = None
    captured: GivenCapture | None = None

    @model_validator(mode="after")
    def _usable(self) -> Self:
        given = self.amount, *(each.amount for each in (self.authorization, self.captured) if each is not None)
        if any(money.amount <= 0 for money in given):
            raise PydanticCustomError("payment.not_positive", "amounts of a payment must be more than 0")
        means = self.token, self.authorization, self.captured
        if self.method != "account" and all(each is None for each in means):
            raise PydanticCustomError(
                "payment.no_means", "needs a token, an authorization or what was captured: add one of them"
            )
        return self


class PlaceOrder(Frozen):
    """An order to place. `placing_problems` holds what spans fields."""

    channel: Identifier
    external_id: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    """The channel's order number; case matters. The same one again is the same order."""
    currency: Currency
    life_cycle: Literal["managed", "unmanaged"] = "managed"
    """An unmanaged order is only kept: it cannot be changed. This never changes later."""
    priority: Annotated[int, Field(strict=True, ge=-1000, le=1000)] = 0
    """Where stock is scarce, orders of a higher one go first; among equals the older one does."""
    ship_complete: bool = False
    """Nothing of it goes out before all of it can."""
    reservation: Identifier | None = None
    """A reservation that the channel made for the cart: what it holds becomes the order's, the rest is released."""
    customer: Customer | None = None
    delivery_groups: Annotated[list[DeliveryGroup], Field(min_length=1, max_length=MAX_DELIVERY_GROUPS)]
    lines: Annotated[list[PlaceLine], Field(min_length=1, max_length=MAX_LINES), BeforeValidator(_refuse_too_many)]
    payments: Annotated[list[PlacePayment], Field(max_length=MAX_PAYMENTS)] = []

    @property
    def pickup_locations(self) -> frozenset[str]:
        """Return the locations at which a part of the order is to be picked up."""
        return frozenset(group.pickup_location for group in self.delivery_groups if group.pickup_location is not None)

    def delivery_group_of(self, line: PlaceLine) -> str:
        """Return the id of the delivery group that *line* belongs to."""
        return line.delivery_group or self.delivery_groups[0].id


def placing_problems(order: PlaceOrder) -> tuple[FieldProblem, ...]:
    """Return what is wrong with *order* across its fields, in the order of the document; empty when it is fine."""
    return (*_twice(order), *_groups_unknown(order), *_too_large(order), *_currencies(order))


def check_order(order: PlaceOrder) -> None:
    """
    Refuse an order whose fields do not fit together.

    Raises:
        InvalidInput: with a field problem for each: ids used twice, unknown delivery groups, amounts beyond the
            limit, other currencies than the order's.
    """
    if problems := placing_problems(order):
        raise InvalidInput(f"the order has {len(problems)} problems: {problems[0].detail}", errors=problems)


def _twice(order: PlaceOrder) -> Iterator[FieldProblem]:
    for name, entries in (("delivery_groups", order.delivery_groups), ("lines", order.lines)):
        seen: set[str] = set()
        for index, entry in enumerate(entries):
            if entry.id in seen:
                detail = f"id {entry.id!r} is used twice in {name}: give each its own"
                yield FieldProblem(pointer=f"/{name}/{index}/id", detail=detail, code="field.not_unique")
            seen.add(entry.id)


def _groups_unknown(order: PlaceOrder) -> Iterator[FieldProblem]:
    known = {group.id for group in order.delivery_groups}
    for index, line in enumerate(order.lines):
        if line.delivery_group is not None and line.delivery_group not in known:
            detail = f"delivery_group {line.delivery_group!r} is none of the order's: name one of {sorted(known)[:5]}"
            yield FieldProblem(pointer=f"/lines/{index}/delivery_group", detail=detail, code="line.group_unknown")


def _too_large(order: PlaceOrder) -> Iterator[FieldProblem]:
    total = 0
    for index, line in enumerate(order.lines):
        total += line.line_amount + (line.tax.amount if line.tax else 0)
        if total > MAX_AMOUNT:
            detail = f"the lines up to here come to more than {MAX_AMOUNT} minor units: send several orders"
            yield FieldProblem(pointer=f"/lines/{index}/unit_price", detail=detail, code="money.too_large")
            return


def _currencies(order: PlaceOrder) -> Iterator[FieldProblem]:
    for pointer, money in amounts(order):
        if money.currency != order.currency:
            detail = f"currency {money.currency} is not the order's: send amounts in {order.currency}"
            yield FieldProblem(pointer=f"{pointer}/currency", detail=detail, code="money.currency_mismatch")


def amounts(order: PlaceOrder) -> Iterator[tuple[str, Money]]:
    """Yield every amount of *order* with its JSON pointer."""
    for index, line in enumerate(order.lines):
        yield f"/lines/{index}/unit_price", line.unit_price
        for number, adjustment in enumerate(line.adjustments):
            yield f"/lines/{index}/adjustments/{number}/amount", adjustment.amount
        if line.tax is not None:
            yield f"/lines/{index}/tax", line.tax
    for index, payment in enumerate(order.payments):
        yield f"/payments/{index}/amount", payment.amount
        if payment.authorization is not None:
            yield f"/payments/{index}/authorization/amount", payment.authorization.amount
        if payment.captured is not None:
            yield f"/payments/{index}/captured/amount", payment.captured.amount


class CancelItem(Frozen):
    """Units of a product line to cancel."""

    line: Identifier
    quantity: Quantity
    reason: Annotated[str, StringConstraints(min_length=1, max_length=100)] = "unknown"
    reduce_delivery: bool = False
    """Lower the delivery charge of the line's delivery group in proportion (reference 6f)."""


class ReturnItem(Frozen):
    """Shipped units of a product line that come back."""

    line: Identifier
    quantity: Quantity
    reason: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    reduce_delivery: bool = False


def _once[Item: (CancelItem, ReturnItem)](items: list[Item]) -> list[Item]:
    seen: set[str] = set()
    for item in items:
        if item.line in seen:
            raise PydanticCustomError(
                "change.line_twice",
                "line {line} is named twice: name it once, with the whole quantity",
                {"line": item.line},
            )
        seen.add(item.line)
    return items


class CancelItems(Frozen):
    """A cancellation: all of it is done, or none."""

    items: Annotated[list[CancelItem], Field(min_length=1, max_length=MAX_LINES), AfterValidator(_once)]
    allocated: Literal["give_back", "refuse"] = "give_back"
    """Whether fulfillment orders that can still be stopped give units back for it."""


class ReturnItems(Frozen):
    """A return of shipped goods: all of it is done, or none."""

    items: Annotated[list[ReturnItem], Field(min_length=1, max_length=MAX_LINES), AfterValidator(_once)]


class ReportedLine(Frozen):
    """Units of a line that a location reports on."""

    line: Identifier
    quantity: Quantity


class FulfillmentReport(Frozen):
    """What a location says of a fulfillment order. Sent twice with the same id it counts once."""

    id: Identifier
    """The location's id of the event."""
    type: Literal["accepted", "rejected", "picked", "shipped"]
    lines: Annotated[list[ReportedLine], Field(max_length=MAX_LINES)] = []
    """
    What a rejection is about; without lines it is all of the fulfillment order. What was picked or shipped; without
    lines it is all of it, with lines the rest is missing and counts as rejected.
    """
    reason: Reason | None = None
    """Of the rejection, or of what is missing."""
