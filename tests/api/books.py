"""Books of four orders, written row by row: they balance, until a test breaks them."""

from datetime import date

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orderloom.domain.units import UnitState
from orderloom.persistence.tables import fulfillment, inventory, ledgers, operations, orders, payments, places
from tests.api.conftest import NOW, PIN

type Row = dict[str, object]

SHIPPED = "100001"
"""Two mugs at 24.75 with tax, shipped from BER, invoiced, captured and paid; one came back and was refunded."""
RESERVED = "100002"
"""One mug, reserved at the group EU, waiting for its second routing attempt."""
ALLOCATED = "100003"
"""Three mugs, allocated to PAR; the location has accepted."""
CANCELLED = "100004"
"""One mug, cancelled before anything happened."""


async def write_books(engine: AsyncEngine) -> None:
    """Write stock and the four orders. The channel ``web`` and its products must exist."""
    async with engine.begin() as conn:
        await _stock(conn)
        await _shipped(conn)
        await _reserved(conn)
        await _allocated(conn)
        await _cancelled(conn)
        await conn.execute(text("SELECT setval('order_number', 100005)"))


async def _add(conn: AsyncConnection, table: object, *rows: Row) -> None:
    for row in rows:
        await conn.execute(insert(table).values(row))  # type: ignore[arg-type]


async def _stock(conn: AsyncConnection) -> None:
    places = (("BER", 10, 0, 1), ("PAR", 5, 3, 0))
    await _add(conn, inventory.location_groups, {"id": "EU"})
    for place, on_hand, reserved, safety in places:
        await _add(conn, inventory.locations, {"id": place, "name": place, "country": "DE"})
        await _add(conn, inventory.location_group_members, {"group_id": "EU", "location_id": place})
        row: Row = {"location_id": place, "sku": "MUG-BLUE", "on_hand": on_hand, "reserved": reserved, "safety": safety}
        await _add(conn, inventory.stock, row)
        # Two have left BER since.
        opening: Row = {"location_id": place, "sku": "MUG-BLUE", "cause": "opening", "at": NOW}
        await _add(conn, inventory.stock_changes, opening | {"quantity": on_hand + (2 if place == "BER" else 0)})
    group: Row = {"group_id": "EU", "sku": "MUG-BLUE", "on_hand": 15, "reserved": 4, "safety": 1}
    await _add(conn, inventory.group_stock, group)


async def _order(
    conn: AsyncConnection, id: str, quantity: int, seq: int, *, adjustment: int = 0, tax: int, attempts: int = 0
) -> None:
    row: Row = {
        "id": id,
        "channel_id": "web",
        "external_id": f"W-{id}",
        "currency": "EUR",
        "policy": {"currency": "EUR", "location_group": "EU"},
        "placed_at": NOW,
        "release": "r1",
        "pin": PIN.model_dump(mode="json"),
        "seq": seq,
        "wanted": ["order.placed", "fulfillment.shipped", "fulfillment.rejected"],
        "routing_attempts": attempts,
    }
    await _add(conn, orders.orders, row)
    await _add(conn, orders.delivery_groups, {"order_id": id, "id": "1", "country": "DE"})
    line: Row = {
        "order_id": id,
        "id": "1",
        "position": 1,
        "kind": "product",
        "sku": "MUG-BLUE",
        "name": "Blue mug",
        "delivery_group_id": "1",
        "quantity": quantity,
        "unit_price": 2500,
        "line_amount": 2500 * quantity,
        "adjustment": adjustment,
        "tax": tax,
        "tax_category": "standard",
    }
    await _add(conn, orders.order_lines, line)
    for number in range(1, seq + 1):
        entry: Row = {"order_id": id, "seq": number, "id": f"{id}:{number}", "source": "orderloom", "time": NOW}
        await _add(conn, orders.journal, {**entry, "type": f"event-{number}", "data": {}, "cause": "test"})


async def _move(
    conn: AsyncConnection,
    order: str,
    source: tuple[UnitState, str, str | None],
    target: tuple[UnitState, str, str | None],
    *units: int,
) -> None:
    quantity, amount, tax = units
    for (state, place, shipment), sign in ((source, -1), (target, 1)):
        row: Row = {"order_id": order, "seq": 1, "line_id": "1", "state": state.value, "place": place}
        sums: Row = {"quantity": sign * quantity, "amount": sign * amount, "tax": sign * tax}
        await _add(conn, ledgers.unit_entries, {**row, "fulfillment_order_id": shipment, **sums})


async def _post(  # noqa: PLR0917  # debit, credit, amount: as they are said
    conn: AsyncConnection, order: str, debit: str, credit: str, amount: int, document: str | None = None
) -> None:
    payment_accounts = {"gateway", "authorised", "captured", "applied", "refunded"}
    payment = f"{order}-P1" if {debit, credit} <= payment_accounts else None
    for account, sign in ((debit, -1), (credit, 1)):
        row: Row = {"order_id": order, "seq": 1, "account": account, "payment_id": payment, "document_id": document}
        await _add(conn, ledgers.money_entries, {**row, "amount": sign * amount})


async def _payment(conn: AsyncConnection, order: str, amount: int) -> None:
    row: Row = {"id": f"{order}-P1", "order_id": order, "position": 1, "method": "card", "gateway": "sandbox"}
    await _add(conn, payments.payments, {**row, "token": "tok_ok", "authorization_ref": "auth-1", "amount": amount})


async def _intent(
    conn: AsyncConnection, order: str, number: int, *, operation: str, amount: int, document: str
) -> None:
    row: Row = {
        "id": f"{order}-T{number}",
        "order_id": order,
        "payment_id": f"{order}-P1",
        "operation": operation,
        "amount": amount,
        "document_id": document,
        "action_key": f"key-{number}",
        "outcome": "succeeded",
        "reference": f"ref-{number}",
        "created_at": NOW,
        "settled_at": NOW,
    }
    await _add(conn, payments.payment_intents, row)


async def _shipment(
    conn: AsyncConnection, order: str, location: str, status: str, quantity: int, *, day: date | None = None
) -> None:
    id = f"{order}-F1"
    row: Row = {"id": id, "order_id": order, "number": 1, "delivery_group_id": "1", "location_id": location}
    await _add(
        conn,
        fulfillment.fulfillment_orders,
        {**row, "status": status, "attempt": 1, "created_at": NOW, "capacity_day": day},
    )
    line: Row = {"fulfillment_order_id": id, "line_id": "1", "original_quantity": quantity}
    await _add(conn, fulfillment.fulfillment_order_lines, line)


async def _hold(conn: AsyncConnection, order: str, quantity: int, status: str, location: str | None) -> None:
    row: Row = {"order_id": order, "line_id": "1", "sku": "MUG-BLUE", "group_id": "EU", "location_id": location}
    shipment = None if location is None else f"{order}-F1"
    held: Row = {"fulfillment_order_id": shipment, "quantity": quantity, "status": status, "created_at": NOW}
    await _add(conn, inventory.reservations, {**row, **held})


SOURCE = (UnitState.SOURCE, "", None)
OPEN = (UnitState.OPEN, "", None)
GROUP = (UnitState.RESERVED, "EU", None)


async def _shipped(conn: AsyncConnection) -> None:
    id = SHIPPED
    shipment, invoice, change, memo = f"{id}-F1", f"{id}-I1", f"{id}-C1", f"{id}-M1"
    await _order(conn, id, 2, 9, adjustment=-500, tax=450)
    await _payment(conn, id, 4950)
    await _shipment(conn, id, "BER", "fulfilled", 2)
    await _move(conn, id, SOURCE, OPEN, 2, 4500, 450)
    await _move(conn, id, OPEN, (UnitState.ALLOCATED, "BER", shipment), 2, 4500, 450)
    shipped = (UnitState.FULFILLED, "BER", shipment)
    await _move(conn, id, (UnitState.ALLOCATED, "BER", shipment), shipped, 2, 4500, 450)
    await _move(conn, id, shipped, (UnitState.RETURNED, "BER", shipment), 1, 2250, 225)
    await _hold(conn, id, 2, "fulfilled", "BER")
    left: Row = {"location_id": "BER", "sku": "MUG-BLUE", "quantity": -2, "cause": shipment, "at": NOW}
    await _add(conn, inventory.stock_changes, left)
    document: Row = {"order_id": id, "number": 1, "created_at": NOW}
    of_invoice: Row = {"id": invoice, "fulfillment_order_id": shipment, "amount": 4500, "tax": 450}
    await _add(conn, payments.invoices, {**document, **of_invoice})
    line: Row = {"line_id": "1", "quantity": 2, "amount": 4500, "tax": 450}
    await _add(conn, payments.invoice_lines, {"invoice_id": invoice, **line})
    changed: Row = {"id": change, "order_id": id, "seq": 8, "kind": "return", "request_id": "q1", "created_at": NOW}
    balances: Row = {"before_fulfillment": False, "balances": {"grand_total": 2475}}
    await _add(conn, orders.change_orders, {**changed, **balances})
    row: Row = {"change_order_id": change, "line_id": "1", "quantity": 1, "amount": -2250, "tax": -225}
    await _add(conn, orders.change_order_lines, {**row, "reason": "damaged"})
    of_memo: Row = {"id": memo, "change_order_id": change, "amount": 2250, "tax": 225}
    await _add(conn, payments.credit_memos, {**document, **of_memo})
    credited: Row = {"line_id": "1", "quantity": 1, "amount": 2250, "tax": 225}
    await _add(conn, payments.credit_memo_lines, {"credit_memo_id": memo, **credited})
    for posting in (
        ("customer", "ordered", 4950, None),
        ("gateway", "authorised", 4950, None),
        ("ordered", "invoiced", 4950, invoice),
        ("authorised", "captured", 4950, invoice),
        ("captured", "applied", 4950, invoice),
        ("invoiced", "credited", 2475, memo),
        ("applied", "refunded", 2475, memo),
    ):
        await _post(conn, id, *posting)
    await _intent(conn, id, 1, operation="capture", amount=4950, document=invoice)
    await _intent(conn, id, 2, operation="refund", amount=2475, document=memo)


async def _reserved(conn: AsyncConnection) -> None:
    id = RESERVED
    await _order(conn, id, 1, 2, tax=250, attempts=1)
    await _payment(conn, id, 2750)
    await _move(conn, id, SOURCE, OPEN, 1, 2500, 250)
    await _move(conn, id, OPEN, GROUP, 1, 2500, 250)
    await _hold(conn, id, 1, "active", None)
    await _post(conn, id, "customer", "ordered", 2750)
    await _post(conn, id, "gateway", "authorised", 2750)
    schedule: Row = {"order_id": id, "number": 1, "status": "completed", "reason": "placed", "scheduled_at": NOW}
    await _add(conn, fulfillment.routing_schedules, {**schedule, "ended_at": NOW})
    later: Row = {"number": 2, "status": "scheduled", "reason": "no_stock", "ended_at": None}
    await _add(conn, fulfillment.routing_schedules, {**schedule, **later})
    attempt: Row = {"order_id": id, "number": 1, "schedule": 1, "outcome": "SPLIT_LIMIT", "at": NOW}
    part: Row = {"delivery_group": "1", "kind": "warehouse", "demand": {"MUG-BLUE": 1}}
    answer: Row = {"outcome": "SPLIT_LIMIT", "parts": [{**part, "answer": {"outcome": "SPLIT_LIMIT"}}]}
    await _add(conn, fulfillment.routing_attempts, {**attempt, "answer": answer})
    waiting: Row = {"order_id": id, "instance": f"{id}:1@f", "flow": "f", "seq": 1, "status": "running"}
    await _add(conn, orders.flow_instances, waiting)
    exception: Row = {
        "id": f"{id}-X1",
        "order_id": id,
        "number": 1,
        "category": "Fulfillment",
        "code": "routing.late",
        "detail": "No route yet.",
        "severity": "High",
        "priority": "High",
        "status": "new",
        "created_at": NOW,
    }
    await _add(conn, operations.process_exceptions, exception)


async def _allocated(conn: AsyncConnection) -> None:
    id = ALLOCATED
    await _order(conn, id, 3, 3, tax=750)
    await _payment(conn, id, 8250)
    await _shipment(conn, id, "PAR", "accepted", 3, day=NOW.date())
    await _add(conn, places.location_capacity, {"location_id": "PAR", "day": NOW.date(), "held": 0, "assigned": 1})
    await _move(conn, id, SOURCE, OPEN, 3, 7500, 750)
    await _move(conn, id, OPEN, (UnitState.ALLOCATED, "PAR", f"{id}-F1"), 3, 7500, 750)
    await _hold(conn, id, 3, "transferred", None)
    await _hold(conn, id, 3, "active", "PAR")
    await _post(conn, id, "customer", "ordered", 8250)


async def _cancelled(conn: AsyncConnection) -> None:
    id = CANCELLED
    await _order(conn, id, 1, 2, tax=250)
    await _move(conn, id, SOURCE, OPEN, 1, 2500, 250)
    await _move(conn, id, OPEN, (UnitState.CANCELLED, "", None), 1, 2500, 250)
    await _hold(conn, id, 1, "released", None)
    await _post(conn, id, "customer", "ordered", 2750)
    await _post(conn, id, "ordered", "customer", 2750)
