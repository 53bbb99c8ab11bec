"""What an import sends: the same commands and events as any channel and location."""

from collections import Counter
from datetime import UTC, datetime
from typing import Literal

from orderloom.domain.model import Frozen, Json, JsonObject
from orderloom.importing.classify import Cancellation, Sale
from orderloom.importing.mapping import Mapping


class ChangeOfSale(Frozen):
    """What one cancelling invoice takes out of one earlier sale."""

    invoice: str
    """Of the cancellation."""
    sale: str
    """Invoice of the order that it changes."""
    at: datetime
    kind: Literal["cancel", "return"]
    body: JsonObject
    rows: tuple[int, ...]
    """Rows of the file that it covers, some of them perhaps together with another sale."""


def place_order(mapping: Mapping, sale: Sale) -> JsonObject:
    """Return the body that places *sale*: tax 0, paid on account."""
    total = sum(line.quantity * line.unit_price for line in sale.lines)
    body: JsonObject = {
        "channel": mapping.channel,
        "external_id": sale.invoice,
        "currency": mapping.currency,
        "delivery_groups": [{"id": "1", "country": sale.country}],
        "lines": [
            {
                "id": line.id,
                "kind": line.kind,
                **({"sku": line.sku} if line.kind == "product" else {}),
                "name": line.name or line.sku,
                "quantity": line.quantity,
                "unit_price": _money(line.unit_price, mapping),
                "tax": _money(0, mapping),
            }
            for line in sale.lines
        ],
        "payments": [{"method": "account", "amount": _money(total, mapping)}],
    }
    if sale.customer is not None:
        body["customer"] = {"reference": sale.customer}
    return body


def changes_of(cancellation: Cancellation) -> list[ChangeOfSale]:
    """Return what *cancellation* changes, sale by sale: a cancellation before it ships, a return after."""
    units: dict[str, Counter[str]] = {}
    rows: dict[str, list[int]] = {}
    for row in cancellation.rows:
        for cover in row.covers:
            units.setdefault(cover.invoice, Counter())[cover.line] += cover.quantity
            rows.setdefault(cover.invoice, []).append(row.row)
    return [
        ChangeOfSale(
            invoice=cancellation.invoice,
            sale=sale,
            at=cancellation.at,
            kind="cancel" if sale in cancellation.same_day else "return",
            body=_items(lines, cancels=sale in cancellation.same_day),
            rows=tuple(rows[sale]),
        )
        for sale, lines in sorted(units.items())
    ]


def shipped(fulfillment_order: str) -> JsonObject:
    """Return the body with which the warehouse reports that all of a fulfillment order has left."""
    return {
        "fulfillment_order": fulfillment_order,
        "id": f"{fulfillment_order}.shipped",
        "type": "shipped",
        "lines": [],
        "reason": None,
    }


def ships_at(mapping: Mapping, day: datetime) -> datetime:
    """Return when the orders of *day* leave."""
    return datetime.combine(day.date(), mapping.ships_at, UTC)


def _items(lines: Counter[str], *, cancels: bool) -> JsonObject:
    items: list[Json] = [
        {"line": line, "quantity": quantity, "reason": "unknown", "reduce_delivery": False}
        for line, quantity in sorted(lines.items(), key=lambda entry: int(entry[0]))
    ]
    return {"items": items, "allocated": "give_back"} if cancels else {"items": items}


def _money(amount: int, mapping: Mapping) -> JsonObject:
    return {"amount": amount, "currency": mapping.currency}
