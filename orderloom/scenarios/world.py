"""The given of a scenario: locations, stock, prices, policy, and the orders that its steps place. Reads no database."""

from decimal import Decimal
from typing import Annotated, Any, Literal, cast

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from orderloom.domain.exception_policy import ExceptionPolicy
from orderloom.domain.locations import LocationTraits
from orderloom.domain.routing_policy import Eligibility, Objective, ValueStep, Wave
from orderloom.scenarios.base import Amount, Duration, Name, Part, Rate

Quantity = Annotated[int, Field(strict=True, ge=0)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]


class Stock(Part):
    """Stock of one SKU at one location."""

    on_hand: Quantity
    safety: Quantity = 0
    """Kept back: never promised."""
    future: Quantity = 0
    """Expected, counts for what may be ordered only."""


class Location(Part):
    """A place that goods are sent from. Give ``at`` or ``distance`` when routes are ranked."""

    at: tuple[Latitude, Longitude] | None = None
    """Latitude and longitude in degrees."""
    distance: Annotated[str, Field(pattern=r"^\d+(\.\d+)? ?(km|mi)$")] | None = None
    """Distance from the default place of delivery, such as ``60 mi``: the location is put due north of it."""
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "GB"
    kind: Name = "warehouse"
    traits: LocationTraits = LocationTraits()
    """Calendar, capacity, costs and priority."""
    stock: dict[Name, Stock | Quantity] = {}
    """SKU to its stock; a bare number is what is on hand."""

    @model_validator(mode="after")
    def _one_position(self) -> "Location":
        if self.at is not None and self.distance is not None:
            raise PydanticCustomError("two_positions", "give either 'at' or 'distance', not both")
        return self


class Product(Part):
    """How a product reaches the customer, where that is not from stock."""

    fulfilment: Literal["ship", "digital", "dropship"] = "ship"
    supplier: Name | None = None
    """The location that sends it; of a ``dropship`` product. It needs no stock, and is in no group unless one names it.
    """

    @model_validator(mode="after")
    def _supplied(self) -> "Product":
        if (self.fulfilment == "dropship") != (self.supplier is not None):
            raise PydanticCustomError("supplier", "a dropship product, and no other, names its supplier")
        return self


class Routing(Part):
    """How routes are looked for, and how often."""

    max_splits: Annotated[int, Field(ge=0, le=100)] | None = None
    """Splits = locations - 1; left out there is no limit."""
    partial: bool = False
    """Send what can be sent now and let the rest wait."""
    eligible: Eligibility = Eligibility()
    """Which locations may send, as in a routing policy; locations and groups by their names here."""
    objectives: Annotated[tuple[Objective, ...], Field(min_length=1)] = ("fewest_splits",)
    by_value: tuple[ValueStep, ...] = ()
    """Split limits for orders below a value in minor units."""
    rejections_half_life: Duration = "7d"
    """After this time a rejection counts half."""
    wave: Wave | None = None
    """The routing pool in which orders wait to be routed together, and for how many seconds."""
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    backoff: Duration = "1h"
    """Wait before the second attempt."""
    backoff_factor: Annotated[float, Field(ge=1)] = 2.0
    backoff_limit: Duration = "1d"
    when_abandoned: Literal["keep", "release"] = "keep"
    """What becomes of the reservation."""


class SellAhead(Part):
    """What may be sold beyond what is available, and before its release."""

    backorder: bool = False
    limit: Annotated[int, Field(ge=0)] | None = None
    """How many units may wait for stock at once; left out, any number."""
    until: Duration | None = None
    """From this time after the scenario's start there are no more backorders."""
    release_at: Duration | None = None
    """A preorder: it is not routed before this time after the scenario's start."""


class Policy(Part):
    """The channel's decisions; an order keeps those that were in force when it was placed."""

    reserve: Literal["placing", "routing"] = "placing"
    promise: Literal["ato", "atf"] = "ato"
    """By what stock is reserved at the group: what is available to order, or to fulfill."""
    when_short: Literal["accept", "refuse"] = "accept"
    remorse: Duration = "0s"
    price: Literal["listed", "given"] = "given"
    """``listed``: unit prices must equal the world's ``prices``."""
    group: Name | None = None
    """The location group that reserves; left out, the only or first group."""
    routing: Routing = Routing()
    exceptions: ExceptionPolicy = ExceptionPolicy()
    """Deadlines in hours by category and severity; seconds in which a location must accept."""
    service_window: Duration = "90d"
    sell_ahead: SellAhead | None = None
    """Of the SKUs that the world's ``sell_ahead`` does not name."""


class Flows(Part):
    """The flows in force: the prebuilt ones, changed as said here."""

    use: list[str] = []
    """Names of prebuilt flows or paths of files, relative to this one. A flow replaces the one of the same name."""
    without: list[str] = []
    """Names of prebuilt flows that are not in force."""


class World(Part):
    """What there is before the first step."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    tax: Rate | dict[Name, Rate] = Decimal(0)
    """One rate for everything, or a rate per tax category."""
    tax_categories: dict[Name, Name] = {}
    """SKU to tax category, where it is not ``standard``."""
    products: dict[Name, Product] = {}
    """SKU to how it reaches the customer; those left out are shipped from stock."""
    locations: dict[Name, Location] = {}
    groups: dict[Name, list[Name]] = {}
    """Location groups; left out, one group holds every location that is no supplier."""
    prices: dict[Name, Amount] = {}
    """SKU to its price; an order line that gives no price takes it from here."""
    sell_ahead: dict[Name, SellAhead] = {}
    """SKU to what may be sold ahead of it in the channel."""
    policy: Policy = Policy()
    flows: Flows = Flows()

    @model_validator(mode="after")
    def _members_exist(self) -> "World":
        for group, members in self.groups.items():
            for index, member in enumerate(members):
                if member not in self.locations:
                    detail = f"group {group!r} names location {member!r}, which the world does not have"
                    raise PydanticCustomError("unknown_location", detail, {"key": "groups", "index": index})  # pyright: ignore[reportArgumentType]
        for sku, product in self.products.items():
            if product.supplier is not None and product.supplier not in self.locations:
                detail = f"product {sku!r} names supplier {product.supplier!r}, which is no location of the world"
                raise PydanticCustomError("unknown_location", detail, {"key": "products"})  # pyright: ignore[reportArgumentType]
        return self

    @property
    def suppliers(self) -> set[str]:
        """Return the locations that send what is not ours."""
        return {product.supplier for product in self.products.values() if product.supplier is not None}

    def changed_by(self, other: "World | None") -> "World":
        """Return this world with what *other* gives replaced."""
        if other is None:
            return self
        return self.model_copy(update={name: getattr(other, name) for name in other.model_fields_set})


class Line(Part):
    """One line of an order. For a product a bare number stands for its quantity."""

    kind: Literal["product", "delivery", "fee"] = "product"
    sku: Name | None = None
    """Of a product; left out, the line's id."""
    quantity: Annotated[int, Field(ge=1)] = 1
    price: Amount | None = None
    """Per unit; left out, the world's price of the SKU."""
    adjustment: Amount | None = None
    """A discount on the whole line, at most 0."""
    tax: Amount | None = None
    """Tax that the channel has computed; taken as given."""
    tax_category: Name | None = None
    to: Name | None = None
    """The delivery group; left out, the first."""

    @model_validator(mode="before")
    @classmethod
    def _bare_quantity(cls, value: Any) -> Any:
        return {"quantity": value} if isinstance(value, int) and not isinstance(value, bool) else value


class Payment(Part):
    """A tender of an order."""

    method: Literal["card", "gift_card", "account"] = "card"
    amount: Amount
    authorized: bool = False
    """The channel has authorised it at the gateway already."""
    captured: bool = False
    """The channel has captured it at the gateway already."""
    token: str | None = None
    """The gateway's token; left out, one that always works."""


class Destination(Part):
    """Where a delivery group goes."""

    at: tuple[Latitude, Longitude] | None = (0.0, 0.0)
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "GB"
    method: str = "standard"
    pickup: Name | None = None
    """The location where the recipient fetches it."""


class Order(Part):
    """An order, as a step places it."""

    lines: dict[Name, Line]
    payments: list[Payment] | None = None
    """Left out: one card, authorised for the grand total."""
    life_cycle: Literal["managed", "unmanaged"] = "managed"
    priority: int = 0
    """Higher goes first where stock is scarce."""
    ship_complete: bool = False
    """Nothing of it goes out before all of it can."""
    deliver_to: dict[Name, Destination] = {"1": Destination()}
    reservation: Name | None = None
    """The reservation of its cart that it takes over."""
    customer: str | None = None
    """The channel's reference of the customer."""

    def skus(self) -> set[str]:
        """Return the SKUs of its product lines."""
        return {line.sku or name for name, line in self.lines.items() if line.kind == "product"}


def skus_of(world: World, orders: dict[str, Order]) -> list[str]:
    """Return every SKU that stock, prices or orders name, sorted."""
    stocked = {sku for location in world.locations.values() for sku in location.stock}
    ordered = {sku for order in orders.values() for sku in order.skus()}
    return sorted(stocked | ordered | set(world.prices) | set(world.products) | set(world.sell_ahead))


def rates(tax: Any) -> dict[str, Any]:
    """Return the rate per tax category; one rate alone is that of ``standard``."""
    return cast("dict[str, Any]", tax) if isinstance(tax, dict) else {"standard": tax}
