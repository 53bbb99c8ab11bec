"""Places an order: prices it, and writes its row, lines, units, money, payments and person."""

from decimal import Decimal
from typing import Any, cast

from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import insert as insert_once
from sqlalchemy.ext.asyncio import AsyncConnection

from activities import intents
from activities.arrivals import Arrival, body_as
from activities.transaction import Call, open_unit
from activities.unit import OrderRow, Services, Unit
from orderloom.contracts.messages import Context
from orderloom.domain import ids
from orderloom.domain.channel import ChannelPolicy
from orderloom.domain.errors import FieldProblem, InvalidInput, NotFound
from orderloom.domain.funds import Account, Posting
from orderloom.domain.model import JsonObject
from orderloom.domain.order import Line
from orderloom.domain.placing import DeliveryGroup, PlaceOrder, PlacePayment, check_order
from orderloom.domain.pricing import price
from orderloom.gateways.account import ACCOUNT
from orderloom.persistence.intake import OrderExists
from orderloom.persistence.people import keep_person, keep_recipients
from orderloom.persistence.tables.catalog import channels, products
from orderloom.persistence.tables.orders import delivery_groups, order_lines, orders
from orderloom.persistence.tables.payments import payments
from orderloom.persistence.vault import DEPLOYMENT

ROUNDED_TO = 2
"""Decimals of a degree that are kept of a position: about a kilometre, enough to route."""


async def place(services: Services, conn: AsyncConnection, arrival: Arrival, call: Call) -> Unit:
    """
    Write a new order, journal that it was placed, and return its unit.

    Raises:
        InvalidInput: the body does not say an order that can be placed; the fields are named.
        NotFound: there is no such channel.
        OrderExists: the channel has another order with this external id.
    """
    order = body_as(arrival, PlaceOrder)
    check_order(order)
    policy = await _policy(conn, order.channel)
    lines = price(order, policy.tax, await _categories(conn, order))
    person = await _write_person(services, conn, arrival, order, call.context)
    row = await _write_order(conn, order, policy, call.context, person)
    unit = open_unit(services, conn, row, call)
    arrival.enter(unit, {"channel": order.channel, "external_id": order.external_id})
    await _write_lines(unit, order, lines)
    await _write_recipients(unit, order)
    await unit.move_units([line.placed() for line in lines])
    if (total := sum(line.total for line in lines)) > 0:
        await unit.post(Posting(debit=Account.CUSTOMER, credit=Account.ORDERED, amount=total))
    await _write_payments(unit, order)
    return unit


async def _policy(conn: AsyncConnection, channel: str) -> ChannelPolicy:
    policy = await conn.scalar(select(channels.c.policy).where(channels.c.id == channel))
    if policy is None:
        raise NotFound(f"there is no channel {channel}", channel=channel)
    return ChannelPolicy.model_validate(policy)


async def _categories(conn: AsyncConnection, order: PlaceOrder) -> dict[str, str]:
    """Return the tax categories of the order's SKUs; refuse SKUs that are no active product."""
    skus = sorted({line.sku for line in order.lines if line.sku is not None})
    query = select(products.c.sku, products.c.tax_category).where(products.c.sku.in_(skus), products.c.active)
    found = {row.sku: row.tax_category for row in await conn.execute(query)}
    unknown = tuple(
        FieldProblem(pointer=f"/lines/{index}/sku", detail=f"there is no product {line.sku!r}", code="sku.unknown")
        for index, line in enumerate(order.lines)
        if line.sku is not None and line.sku not in found
    )
    if unknown:
        raise InvalidInput(f"order.placed: {unknown[0].pointer} {unknown[0].detail}", errors=unknown)
    return found


async def _write_order(
    conn: AsyncConnection, order: PlaceOrder, policy: ChannelPolicy, context: Context, person: str | None
) -> OrderRow:
    wanted = sorted(context.pin.subscriptions)
    row = OrderRow(
        id=context.order_id,
        channel_id=order.channel,
        external_id=order.external_id,
        currency=order.currency,
        life_cycle=order.life_cycle,
        person_id=person,
        policy=policy,
        placed_at=context.now,
        pin=context.pin,
        seq=0,
        wanted=wanted,
        routing_attempts=0,
        closed_at=None,
    )
    values: dict[str, Any] = {
        **row.model_dump(),
        "policy": policy.model_dump(mode="json"),
        "pin": context.pin.model_dump(mode="json"),
        "release": context.pin.release,
    }
    clash = ["channel_id", "external_id"]
    statement = insert_once(orders).values(values).on_conflict_do_nothing(index_elements=clash).returning(orders.c.id)
    if await conn.scalar(statement) is None:
        detail = f"channel {order.channel} has another order with external id {order.external_id!r}"
        raise OrderExists(detail, channel=order.channel, external_id=order.external_id)
    return row


async def _write_person(
    services: Services, conn: AsyncConnection, arrival: Arrival, order: PlaceOrder, context: Context
) -> str | None:
    """Write whom the order is for; None when its body came without personal data."""
    if arrival.key_id == DEPLOYMENT:
        return None
    customer: JsonObject = {} if order.customer is None else order.customer.model_dump(mode="json", exclude_none=True)
    return await keep_person(
        conn, services.vault, person_id=arrival.key_id, channel=order.channel, customer=customer, now=context.now
    )


async def _write_lines(unit: Unit, order: PlaceOrder, lines: tuple[Line, ...]) -> None:
    groups = [_group_row(unit.order.id, group) for group in order.delivery_groups]
    await unit.conn.execute(insert(delivery_groups), groups)
    await unit.conn.execute(insert(order_lines), [_line_row(unit.order.id, line) for line in lines])


def _group_row(order_id: str, group: DeliveryGroup) -> dict[str, Any]:
    position = group.position
    return {
        "order_id": order_id,
        "id": group.id,
        "country": group.country,
        "latitude": None if position is None else round(position.latitude, ROUNDED_TO),
        "longitude": None if position is None else round(position.longitude, ROUNDED_TO),
        "method": group.method,
    }


def _line_row(order_id: str, line: Line) -> dict[str, Any]:
    fields = cast("dict[str, str | int | Decimal | None]", line.model_dump(exclude={"delivery_group"}))
    return {"order_id": order_id, "delivery_group_id": line.delivery_group, **fields}


async def _write_recipients(unit: Unit, order: PlaceOrder) -> None:
    addresses: dict[str, JsonObject] = {
        group.id: group.recipient.model_dump(mode="json", exclude_none=True)
        for group in order.delivery_groups
        if group.recipient is not None
    }
    if addresses and unit.order.person_id is not None:
        await keep_recipients(
            unit.conn,
            unit.services.vault,
            order_id=unit.order.id,
            person_id=unit.order.person_id,
            addresses=addresses,
        )


async def _write_payments(unit: Unit, order: PlaceOrder) -> None:
    named = [
        (ids.payment_id(unit.order.id, number), number, payment) for number, payment in enumerate(order.payments, 1)
    ]
    rows = [_payment_row(unit, name, position, payment) for name, position, payment in named]
    if rows:
        await unit.conn.execute(insert(payments), rows)
    for name, _, payment in named:
        if payment.authorization is not None:
            await intents.record_given_authorization(unit, name, payment.authorization.amount.amount)
        if payment.captured is not None:
            await intents.record_given_capture(unit, name, payment.captured.reference, payment.captured.amount.amount)


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
