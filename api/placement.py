"""What is checked of an order before anything of it is kept: channel, currencies, SKUs, prices, tax categories."""

from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy.ext.asyncio import AsyncEngine

from api.errors import ChannelUnknown, CurrencyMismatch, PriceMismatch, SkuUnknown
from api.fields import pointer
from orderloom.domain.errors import FieldProblem, OrderloomError
from orderloom.domain.model import Json
from orderloom.domain.money import format_amount
from orderloom.domain.pickups import check_pickups
from orderloom.domain.placing import PlaceOrder, amounts, check_order
from orderloom.domain.pricing import price
from orderloom.persistence.single import single
from orderloom.readmodels.catalog import (
    ChannelInForce,
    ProductForSale,
    for_sale,
    pickup_locations,
)

_MAX_FIELDS = 50


async def check_placement(engine: AsyncEngine, order: PlaceOrder) -> ChannelInForce:
    """
    Return the channel of *order* if the order can be accepted. Reads only, in one statement; pickup takes another.

    Raises:
        ChannelUnknown: the channel is not set up, or has no flows in force.
        CurrencyMismatch: an amount is not in the channel's currency.
        SkuUnknown: a SKU is not for sale.
        PriceMismatch: a unit price is not the listed one, in a channel with listed prices.
        InvalidInput: fields do not fit together, a line's tax cannot be computed, or something cannot be picked up
            where the order says.
    """
    wanted = {line.sku for line in order.lines if line.sku is not None}
    found = await for_sale(engine, order.channel, wanted)
    if found is None or found[0].pin is None:
        reason = "is not set up" if found is None else "has no flows in force"
        field = FieldProblem(pointer="/channel", detail=f"channel {order.channel} {reason}.", code=ChannelUnknown.code)
        raise ChannelUnknown(f"the channel {order.channel} {reason}", errors=(field,), channel=order.channel)
    channel, products = found
    currency = channel.policy.currency
    _refuse(CurrencyMismatch, "amounts", _other_currencies(order, currency), currency=currency)
    check_order(order)
    _refuse(SkuUnknown, "SKUs", _unknown_skus(order, products), skus=_sorted(wanted - products.keys()))
    if channel.policy.price == "listed":
        _refuse(PriceMismatch, "prices", _other_prices(order, products, currency))
    if named := order.pickup_locations:
        async with single(engine) as conn:
            offered = await pickup_locations(conn, channel.policy.location_group, named)
        check_pickups(order, offered, {sku: product.fulfilment for sku, product in products.items()})
    price(order, channel.policy.tax, {sku: product.tax_category for sku, product in products.items()})
    return channel


def _sorted(texts: Iterable[str]) -> Json:
    return [*sorted(texts)[:_MAX_FIELDS]]


def _refuse(error: type[OrderloomError], what: str, problems: Iterable[tuple[str, str]], **facts: Json) -> None:
    """Raise *error* naming each of *problems* (pointer and detail), if there is any."""
    found = [FieldProblem(pointer=at, detail=detail, code=error.code) for at, detail in problems]
    if found:
        detail = found[0].detail if len(found) == 1 else f"{len(found)} {what} are not right; {found[0].detail}"
        raise error(detail.rstrip("."), errors=tuple(found[:_MAX_FIELDS]), **facts)


def _other_currencies(order: PlaceOrder, currency: str) -> Iterator[tuple[str, str]]:
    if order.currency != currency:
        yield "/currency", f"The channel sells in {currency}, not in {order.currency}."
    for at, money in amounts(order):
        if money.currency != currency:
            yield f"{at}/currency", f"The channel sells in {currency}, not in {money.currency}."


def _unknown_skus(order: PlaceOrder, products: Mapping[str, ProductForSale]) -> Iterator[tuple[str, str]]:
    for index, line in enumerate(order.lines):
        if line.sku is not None and line.sku not in products:
            yield pointer(("lines", index, "sku")), f"SKU {line.sku} is not for sale."


def _other_prices(
    order: PlaceOrder, products: Mapping[str, ProductForSale], currency: str
) -> Iterator[tuple[str, str]]:
    for index, line in enumerate(order.lines):
        if line.sku is None or line.unit_price.amount == products[line.sku].price:
            continue
        listed = products[line.sku].price
        price = "has no price in this channel" if listed is None else f"costs {format_amount(listed, currency)}"
        yield pointer(("lines", index, "unit_price", "amount")), f"SKU {line.sku} {price}, not {line.unit_price}."
