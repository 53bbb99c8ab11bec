"""Turns the orders and steps of a scenario into what the API takes. Ids in what it returns carry the case's prefix."""

from collections.abc import Iterator
from decimal import Decimal

from orderloom.domain.errors import InvalidInput
from orderloom.domain.ids import fulfillment_order_id
from orderloom.domain.model import Frozen, Json, JsonObject
from orderloom.domain.money import exponent, parse_amount, round_half_up
from orderloom.scenarios.names import Namespace
from orderloom.scenarios.source import ScenarioInvalid
from orderloom.scenarios.steps import Change, Report, Units, Work
from orderloom.scenarios.world import Destination, Line, Order, Payment, World, rates


class Checkout(Frozen):
    """What the channel did with the gateway before it placed the order."""

    reference: str
    kind: str
    token: str
    amount: int


class Writer:
    """Writes the API's bodies for one case."""

    def __init__(self, world: World, names: Namespace) -> None:
        self._world = world
        self._names = names

    @property
    def channel(self) -> str:
        """Return the id of the case's channel."""
        return self._names.inside("channel")

    def minor(self, amount: Decimal) -> int:
        """Return *amount* in minor units. Raises ScenarioInvalid when it has too many decimals."""
        try:
            return parse_amount(str(amount), self._world.currency)
        except InvalidInput as error:
            raise ScenarioInvalid(error.detail) from None

    def order(self, name: str, order: Order) -> tuple[JsonObject, list[Checkout]]:
        """Return the body that places *order* under *name*, and what its channel does at the gateway before."""
        payments = order.payments
        if payments is None:
            payments = [Payment(amount=self._grand_total(order), authorized=True)]
        written = [self._payment(name, position, payment) for position, payment in enumerate(payments, start=1)]
        body: JsonObject = {
            "channel": self.channel,
            "external_id": self._names.inside(name),
            "currency": self._world.currency,
            "life_cycle": order.life_cycle,
            "priority": order.priority,
            "ship_complete": order.ship_complete,
            "delivery_groups": [self._group(id, destination) for id, destination in order.deliver_to.items()],
            "lines": [self._line(id, line) for id, line in order.lines.items()],
            "payments": [payment for payment, _ in written],
        }
        if order.reservation is not None:
            body["reservation"] = self._names.inside(order.reservation)
        if order.customer is not None:
            body["customer"] = {"reference": order.customer}
        return body, [checkout for _, checkout in written if checkout is not None]

    def _group(self, id: str, destination: Destination) -> JsonObject:
        body: JsonObject = {"id": id, "method": destination.method, "country": destination.country}
        if destination.at is not None:
            body["position"] = _position(destination.at)
        if destination.pickup is not None:
            body["pickup_location"] = self._names.inside(destination.pickup)
        return body

    def change(self, kind: str, change: Change) -> JsonObject:
        """Return the body of a cancellation or return."""
        items: list[Json] = [
            {"line": line, "quantity": quantity, "reason": change.reason, "reduce_delivery": change.reduce_delivery}
            for line, quantity in change.items.items()
        ]
        return {"items": items, "allocated": change.allocated} if kind == "cancel" else {"items": items}

    def report(self, id: str, report: Report) -> JsonObject:
        """Return the body of a location's report."""
        return {"id": id, "type": report.type, "lines": _lines(report.lines), "reason": report.reason}

    def work(self, work: Work, order: str) -> tuple[str, JsonObject]:
        """Return the last part of the path, and the body, of what is to be done with a fulfillment order of *order*."""
        match work:
            case Work(hold=str() as reason):
                return "hold", {"reason": reason}
            case Work(move=str() as location):
                return "move", {"location": self._names.inside(location)}
            case Work(split=dict() as units):
                return "split", {"lines": _lines(units)}
            case Work(merge=int() as number):
                return "merge", {"other": fulfillment_order_id(order, number)}
            case Work(cancel=dict() as units):
                return "cancel-lines", {"lines": _lines(units)}
            case _:
                return "release", {}

    def _money(self, amount: Decimal) -> JsonObject:
        return {"amount": self.minor(amount), "currency": self._world.currency}

    def _price(self, id: str, line: Line) -> Decimal:
        price = line.price if line.price is not None else self._world.prices.get(line.sku or id)
        if price is None:
            raise ScenarioInvalid(f"line {id!r} has no price, and the world has none for {line.sku or id!r}")
        return price

    def _line(self, id: str, line: Line) -> JsonObject:
        body: JsonObject = {
            "id": id,
            "kind": line.kind,
            "quantity": line.quantity,
            "unit_price": self._money(self._price(id, line)),
        }
        if line.kind == "product":
            body["sku"] = self._names.inside(line.sku or id)
        if line.adjustment is not None:
            body["adjustments"] = [{"amount": self._money(line.adjustment), "reason": "discount"}]
        if line.tax is not None:
            body["tax"] = self._money(line.tax)
        if line.tax_category is not None:
            body["tax_category"] = line.tax_category
        if line.to is not None:
            body["delivery_group"] = line.to
        return body

    def _payment(self, order: str, position: int, payment: Payment) -> tuple[JsonObject, Checkout | None]:
        reference = self._names.inside(f"{order}.{position}")
        token = payment.token or reference
        body: JsonObject = {"method": payment.method, "amount": self._money(payment.amount)}
        if payment.method == "account":
            return body, None
        body["gateway"] = "sandbox"
        if not (payment.authorized or payment.captured):
            return {**body, "token": token}, None
        kind = "capture" if payment.captured else "authorization"
        body["captured" if payment.captured else "authorization"] = {
            "reference": reference,
            "amount": self._money(payment.amount),
        }
        return body, Checkout(reference=reference, kind=kind, token=token, amount=self.minor(payment.amount))

    def _grand_total(self, order: Order) -> Decimal:
        """Return what the order costs with tax, so that authors need not say what the channel authorised."""
        amounts = list(self._adjusted(order))
        untaxed: dict[str, Decimal] = {}
        for category, amount, _ in amounts:
            untaxed[category] = untaxed.get(category, Decimal(0)) + amount
        taxes = [self._tax(amount, category) for category, amount in untaxed.items()]
        return sum((amount + given for _, amount, given in amounts), sum(taxes, Decimal(0)))

    def _tax(self, amount: Decimal, category: str) -> Decimal:
        digits = exponent(self._world.currency)
        rate = Decimal(rates(self._world.tax).get(category, 0))
        return Decimal(round_half_up((amount * rate).scaleb(digits))).scaleb(-digits)

    def _adjusted(self, order: Order) -> Iterator[tuple[str, Decimal, Decimal]]:
        """Yield the tax category (empty when the tax is given), adjusted amount and given tax of each line."""
        for id, line in order.lines.items():
            amount = self._price(id, line) * line.quantity + (line.adjustment or 0)
            category = line.tax_category or self._world.tax_categories.get(line.sku or id, "standard")
            yield ("" if line.tax is not None else category), amount, line.tax or Decimal(0)


def _lines(units: Units) -> list[Json]:
    return [{"line": line, "quantity": quantity} for line, quantity in units.items()]


def _position(at: tuple[float, float]) -> JsonObject:
    return {"latitude": at[0], "longitude": at[1]}
