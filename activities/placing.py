"""Places an order: prices it, and writes its row, lines, units, money, payments and person."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, cast

from sqlalchemy import LargeBinary, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from activities import intents
from activities.arrivals import Arrival, body_as
from activities.promising import Asking, enter_reserved, movements, promise
from activities.transaction import Call, open_unit
from activities.unit import OrderRow, Services, Unit
from orderloom.contracts.messages import Context
from orderloom.domain import ids
from orderloom.domain.channel import ChannelPolicy
from orderloom.domain.errors import FieldProblem, InvalidInput, NotFound
from orderloom.domain.funds import Account, Posting
from orderloom.domain.model import JsonObject
from orderloom.domain.order import Fulfilment, Line
from orderloom.domain.pickups import check_pickups
from orderloom.domain.placing import DeliveryGroup, PlaceOrder, PlacePayment, check_order
from orderloom.domain.pricing import price
from orderloom.domain.sell_ahead import SellAhead
from orderloom.domain.units import UnitState
from orderloom.gateways.account import ACCOUNT
from orderloom.persistence.books import Books
from orderloom.persistence.intake import OrderExists
from orderloom.persistence.people import ONE_AT_A_TIME, find_person, lookup, person_row, recipient_rows
from orderloom.persistence.sell_ahead import IN_FORCE
from orderloom.persistence.tables.orders import delivery_groups, order_lines, orders
from orderloom.persistence.tables.payments import payments
from orderloom.persistence.tables.persons import persons, recipients
from orderloom.persistence.vault import DEPLOYMENT
from orderloom.readmodels.catalog import pickup_locations

ROUNDED_TO = 2
"""Decimals of a degree that are kept of a position: about a kilometre, enough to route."""


async def place(services: Services, conn: AsyncConnection, arrival: Arrival, call: Call) -> Unit:
    """
    Journal that a new order was placed, and return its unit. Everything is written when the unit is; refused, nothing.

    Raises:
        InvalidInput: the body does not say an order that can be placed; the fields are named.
        NotFound: there is no such channel.
        OrderExists: the channel has another order with this external id.
        KeyErased: the person has been erased.
        ReservationUnknown, ReservationForeign, ReservationEnded: it cannot be taken over.
        StockShort: more is asked for than can be promised.
    """
    order = body_as(arrival, PlaceOrder)
    check_order(order)
    mark = _mark(services, arrival, order)
    policy, products = await _catalog(conn, order, mark)
    await _refuse_pickups(conn, order, policy, products.fulfilments)
    person = await _person(conn, arrival, order, mark)
    promised = await promise(
        conn,
        Asking(
            id=call.context.order_id,
            order=order,
            policy=policy,
            sell_ahead=products.sell_ahead,
            lines=price(order, policy.tax, products.categories, products.fulfilments),
            now=call.context.now,
        ),
    )
    lines = promised.lines
    row = _order_row(order, policy, call.context, person)
    unit = open_unit(services, conn, row, call, Books.of_new_order())
    unit.preload(list(lines), [])
    unit.contended = bool(promised.reserved) or any(line.sold_ahead for line in lines)
    arrival.enter(unit, {"channel": order.channel, "external_id": order.external_id})
    _enter_order(unit, order, lines)
    await _enter_person(unit, order)
    moved = movements(lines, promised.reserved, policy.location_group)
    await unit.move_units(moved)
    # What is sold ahead of it has been counted with the promise.
    unit.preload(list(lines), await unit.pools(*UnitState))
    enter_reserved(unit, lines, moved)
    if (total := sum(line.total for line in lines)) > 0:
        unit.post(Posting(debit=Account.CUSTOMER, credit=Account.ORDERED, amount=total))
    _enter_payments(unit, order)
    return unit


_CATALOG = (
    text(
        f"""
    SELECT c.policy, o.id AS other,
           (SELECT jsonb_agg(jsonb_build_array(p.sku, p.tax_category, p.fulfilment, ({IN_FORCE})))
            FROM products p WHERE p.sku = ANY(:skus) AND p.active) AS products,
           {ONE_AT_A_TIME} AS one_at_a_time
    FROM channels c LEFT JOIN orders o ON o.channel_id = c.id AND o.external_id = :external_id
    WHERE c.id = :channel
    """  # noqa: S608  # constants of ours
    )
    .bindparams(
        bindparam("skus", type_=ARRAY(Text)), bindparam("channel", type_=Text), bindparam("mark", type_=LargeBinary)
    )
    .columns(policy=JSONB, products=JSONB)
)


async def _catalog(conn: AsyncConnection, order: PlaceOrder, mark: bytes | None) -> tuple[ChannelPolicy, "Products"]:
    """Return the channel's policy and what is known of the order's SKUs; from then on its customer's orders wait."""
    skus = sorted({line.sku for line in order.lines if line.sku is not None})
    values = {"channel": order.channel, "external_id": order.external_id, "skus": skus, "mark": mark}
    found = (await conn.execute(_CATALOG, values)).one_or_none()
    if found is None:
        raise NotFound(f"there is no channel {order.channel}", channel=order.channel)
    if found.other is not None:
        # One that comes at the same moment is refused by the index, and finds the other when it is tried again.
        detail = f"channel {order.channel} has another order with external id {order.external_id!r}"
        raise OrderExists(detail, channel=order.channel, external_id=order.external_id, order=found.other)
    return ChannelPolicy.model_validate(found.policy), _products(order, found.products or ())


class Products(NamedTuple):
    """What is known of an order's SKUs."""

    categories: dict[str, str]
    fulfilments: dict[str, Fulfilment]
    sell_ahead: dict[str, SellAhead]
    """The policies in force; a SKU that none names is left out."""


def _products(order: PlaceOrder, rows: Sequence[tuple[str, str, Fulfilment, JsonObject | None]]) -> Products:
    """Return what is known of the order's SKUs; refuse SKUs that are no active product."""
    found = {sku: category for sku, category, _, _ in rows}
    unknown = tuple(
        FieldProblem(pointer=f"/lines/{index}/sku", detail=f"there is no product {line.sku!r}", code="sku.unknown")
        for index, line in enumerate(order.lines)
        if line.sku is not None and line.sku not in found
    )
    if unknown:
        raise InvalidInput(f"order.placed: {unknown[0].pointer} {unknown[0].detail}", errors=unknown)
    ahead = {sku: SellAhead.model_validate(policy) for sku, _, _, policy in rows if policy is not None}
    return Products(found, {sku: fulfilment for sku, _, fulfilment, _ in rows}, ahead)


async def _refuse_pickups(
    conn: AsyncConnection, order: PlaceOrder, policy: ChannelPolicy, fulfilments: Mapping[str, Fulfilment]
) -> None:
    if named := order.pickup_locations:
        check_pickups(order, await pickup_locations(conn, policy.location_group, named), fulfilments)


def _order_row(order: PlaceOrder, policy: ChannelPolicy, context: Context, person: str | None) -> OrderRow:
    return OrderRow(
        id=context.order_id,
        channel_id=order.channel,
        external_id=order.external_id,
        currency=order.currency,
        life_cycle=order.life_cycle,
        ship_complete=order.ship_complete,
        person_id=person,
        policy=policy,
        placed_at=context.now,
        pin=context.pin,
        seq=0,
        wanted=sorted(context.pin.subscriptions),
        routing_attempts=0,
        priority=order.priority,
        closed_at=None,
    )


def _mark(services: Services, arrival: Arrival, order: PlaceOrder) -> bytes | None:
    """Return what the order's customer is found by, or None."""
    return None if arrival.key_id == DEPLOYMENT else lookup(services.vault, order.channel, _customer(order))


async def _person(conn: AsyncConnection, arrival: Arrival, order: PlaceOrder, mark: bytes | None) -> str | None:
    """Return whom the order is for; None when its body came without personal data."""
    if arrival.key_id == DEPLOYMENT:
        return None
    known = None if mark is None else await find_person(conn, order.channel, mark)
    return known or arrival.key_id


def _customer(order: PlaceOrder) -> JsonObject:
    return {} if order.customer is None else order.customer.model_dump(mode="json", exclude_none=True)


def _enter_order(unit: Unit, order: PlaceOrder, lines: tuple[Line, ...]) -> None:
    unit.enter(orders, {**unit.order.model_dump(mode="json"), "release": unit.order.pin.release})
    unit.enter(delivery_groups, *(_group_row(unit.order.id, group) for group in order.delivery_groups))
    unit.enter(order_lines, *(_line_row(unit.order.id, line) for line in lines))


def _group_row(order_id: str, group: DeliveryGroup) -> dict[str, Any]:
    position = group.position
    return {
        "order_id": order_id,
        "id": group.id,
        "country": group.country,
        "latitude": None if position is None else round(position.latitude, ROUNDED_TO),
        "longitude": None if position is None else round(position.longitude, ROUNDED_TO),
        "method": group.method,
        "pickup_location_id": group.pickup_location,
    }


def _line_row(order_id: str, line: Line) -> dict[str, Any]:
    fields = cast("dict[str, str | int | Decimal | datetime | None]", line.model_dump(exclude={"delivery_group"}))
    return {"order_id": order_id, "delivery_group_id": line.delivery_group, **fields}


async def _enter_person(unit: Unit, order: PlaceOrder) -> None:
    """Enter the person, or what is known of the person now, and where the delivery groups go."""
    person, vault = unit.order.person_id, unit.services.vault
    if person is None:
        return
    row = await person_row(vault, person_id=person, channel=order.channel, customer=_customer(order), now=unit.now)
    addresses: dict[str, JsonObject] = {
        group.id: group.recipient.model_dump(mode="json", exclude_none=True)
        for group in order.delivery_groups
        if group.recipient is not None
    }
    sent_to = await recipient_rows(vault, order_id=unit.order.id, person_id=person, addresses=addresses)
    unit.enter_or_change(persons, row, ("service", "statutory"))
    unit.enter(recipients, *sent_to)


def _enter_payments(unit: Unit, order: PlaceOrder) -> None:
    named = [
        (ids.payment_id(unit.order.id, number), number, payment) for number, payment in enumerate(order.payments, 1)
    ]
    rows = [_payment_row(unit, name, position, payment) for name, position, payment in named]
    unit.enter(payments, *rows)
    captured = 0
    for name, _, payment in named:
        if payment.authorization is not None:
            intents.record_given_authorization(unit, name, payment.authorization.amount.amount)
        if payment.captured is not None:
            captured += 1
            intents.record_given_capture(
                unit, captured, name, payment.captured.reference, payment.captured.amount.amount
            )


def _payment_row(unit: Unit, name: str, position: int, payment: PlacePayment) -> dict[str, Any]:
    given = payment.authorization
    on_account = payment.method == ACCOUNT
    return {
        "id": name,
        "order_id": unit.order.id,
        "position": position,
        "method": payment.method,
        "gateway": ACCOUNT if on_account else payment.gateway or unit.order.policy.gateway,
        "token": payment.token,
        "authorization_ref": None if given is None else given.reference,
        "amount": payment.amount.amount,
        "expires_at": None if given is None else given.expires_at,
    }
