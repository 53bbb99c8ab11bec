"""
Decides what each row of a file is: part of an order, of a change, of an exception, or refused. Reads no database.

Every row is in exactly one of the four, so that rows read is always their sum. The decision depends on the rows before
it only, so that a second run decides the same.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Literal

from orderloom.domain.model import Frozen
from orderloom.domain.money import exponent
from orderloom.importing.mapping import Mapping
from orderloom.importing.rows import Row, Unreadable

MAX_LINES = 2_000
"""The largest order (reference 6o)."""

MAX_QUANTITY = 1_000_000
"""The largest quantity of a line."""


class SaleLine(Frozen):
    """A row that is a line of an order. Amounts in minor units."""

    id: str
    """Position of the row within its invoice."""
    row: int
    kind: Literal["product", "delivery", "fee"]
    sku: str
    name: str
    quantity: int
    unit_price: int


class Sale(Frozen):
    """An invoice: an order to place."""

    invoice: str
    at: datetime
    customer: str | None
    country: str
    lines: tuple[SaleLine, ...]


class Cover(Frozen):
    """A part of an earlier sale that a cancelled row covers."""

    invoice: str
    line: str
    quantity: int


class CancelledRow(Frozen):
    """A row of a cancellation that earlier sales cover in full."""

    row: int
    covers: tuple[Cover, ...]


class UncoveredRow(Frozen):
    """A row of a cancellation that becomes a process exception."""

    row: int
    sku: str
    quantity: int
    reason: Literal["nothing_covers", "charge", "no_customer"]


class Cancellation(Frozen):
    """A cancelling invoice. Covers of sales of the same day are cancellations, others returns."""

    invoice: str
    at: datetime
    customer: str | None
    rows: tuple[CancelledRow, ...]
    uncovered: tuple[UncoveredRow, ...]
    same_day: frozenset[str]
    """Invoices among the covers that have not shipped yet."""


class Refused(Frozen):
    """A row that cannot be part of an order, and why."""

    row: int
    invoice: str
    sku: str
    reason: str
    detail: str


type Item = Sale | Cancellation | Refused


class Split(Frozen):
    """How the rows of a file were used."""

    read: int = 0
    orders: int = 0
    changes: int = 0
    exceptions: int = 0
    refused: int = 0
    invoices: int = 0
    """Invoice numbers seen, refused ones included."""
    placed: int = 0
    """Invoices that are orders."""
    reasons: dict[str, int] = {}
    """Refused rows by reason."""

    @property
    def balanced(self) -> bool:
        """Tell whether every row read is in exactly one place."""
        return self.read == self.orders + self.changes + self.exceptions + self.refused


class _Stocked:
    """A sold line that may still be cancelled or returned."""

    __slots__ = ("day", "invoice", "left", "line")

    def __init__(self, invoice: str, line: str, day: date, left: int) -> None:
        self.invoice, self.line, self.day, self.left = invoice, line, day, left


class Classifier:
    """Takes the rows of one file in order and yields what they are; counts them."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._sold: dict[tuple[str, str], list[_Stocked]] = {}
        self._seen: set[str] = set()
        self._counts: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()

    @property
    def split(self) -> Split:
        """Return the split of the rows taken so far."""
        return Split(**self._counts, reasons=dict(sorted(self._reasons.items())))

    def classify(self, rows: Iterable[Row | Unreadable]) -> Iterator[Item]:
        """Yield, invoice by invoice, its refused rows and then what the others make."""
        for invoice, group in groupby(rows, key=lambda row: row.invoice):
            members = list(group)
            self._counts["read"] += len(members)
            again = invoice in self._seen
            self._seen.add(invoice)
            self._counts["invoices"] += not again
            readable: list[Row] = []
            for row in members:
                refused = self._refusal(row, again=again)
                if refused is not None:
                    self._counts["refused"] += 1
                    self._reasons[refused.reason] += 1
                    yield refused
                elif isinstance(row, Row):
                    readable.append(row)
            if readable:
                yield self._invoice(members[0].number, readable)

    def _refusal(self, row: Row | Unreadable, *, again: bool) -> Refused | None:
        if isinstance(row, Unreadable):
            reason = ("unreadable", row.detail)
        elif again:
            reason = ("invoice_continued", "rows of one invoice must follow each other")
        else:
            reason = self._not_an_order(row)
        if reason is None:
            return None
        return Refused(row=row.number, invoice=row.invoice, sku=row.sku, reason=reason[0], detail=reason[1])

    def _not_an_order(self, row: Row) -> tuple[str, str] | None:
        """Return the code and text of the first rule that keeps the row out of any order."""
        mapping = self._mapping
        cancels = row.invoice.startswith(mapping.cancellation_prefix)
        sells = not cancels
        rules = (
            (row.invoice.startswith(mapping.adjustment_prefix), "adjustment", "an adjustment of the books, no order"),
            (
                sells and row.quantity <= 0,
                "quantity_not_positive",
                f"a quantity of {row.quantity} outside a cancellation",
            ),
            (cancels and row.quantity >= 0, "quantity_not_negative", f"a quantity of {row.quantity} in a cancellation"),
            (row.price <= 0, "price_not_positive", f"a price of {row.price}"),
            (
                sells and _minor(row.price, mapping.currency) is None,
                "price_decimals",
                f"a price of {row.price} has more decimals than {mapping.currency}",
            ),
            (abs(row.quantity) > MAX_QUANTITY, "quantity_too_large", f"a quantity of {row.quantity}"),
        )
        return next(((code, detail) for holds, code, detail in rules if holds), None)

    def _invoice(self, first: int, rows: list[Row]) -> Item:
        if rows[0].invoice.startswith(self._mapping.cancellation_prefix):
            return self._cancellation(rows)
        sale = Sale(
            invoice=rows[0].invoice,
            at=rows[0].at,
            customer=rows[0].customer,
            country=self._mapping.countries.get(rows[0].country, "ZZ"),
            lines=tuple(self._line(row, row.number - first + 1) for row in rows),
        )
        self._counts["orders"] += len(rows)
        self._counts["placed"] += 1
        self._remember(sale)
        return sale

    def _line(self, row: Row, position: int) -> SaleLine:
        price = _minor(row.price, self._mapping.currency)
        assert price is not None
        kind: Literal["product", "delivery", "fee"] = self._mapping.charges.get(row.sku, "product")
        return SaleLine(
            id=str(position),
            row=row.number,
            kind=kind,
            sku=row.sku,
            name=row.name,
            quantity=row.quantity,
            unit_price=price,
        )

    def _remember(self, sale: Sale) -> None:
        if sale.customer is None:
            return
        for line in sale.lines:
            if line.kind == "product":
                stocked = _Stocked(sale.invoice, line.id, sale.at.date(), line.quantity)
                self._sold.setdefault((sale.customer, line.sku), []).append(stocked)

    def _cancellation(self, rows: list[Row]) -> Cancellation:
        day = rows[0].at.date()
        same_day: set[str] = set()
        covered: list[CancelledRow] = []
        uncovered: list[UncoveredRow] = []
        for row in rows:
            found = self._cover(row)
            if isinstance(found, str):
                reason: Literal["nothing_covers", "charge", "no_customer"] = found
                uncovered.append(UncoveredRow(row=row.number, sku=row.sku, quantity=-row.quantity, reason=reason))
                continue
            same_day |= {stocked.invoice for stocked, _ in found if stocked.day == day}
            covers = tuple(Cover(invoice=stocked.invoice, line=stocked.line, quantity=part) for stocked, part in found)
            covered.append(CancelledRow(row=row.number, covers=covers))
        self._counts["changes"] += len(covered)
        self._counts["exceptions"] += len(uncovered)
        return Cancellation(
            invoice=rows[0].invoice,
            at=rows[0].at,
            customer=rows[0].customer,
            rows=tuple(covered),
            uncovered=tuple(uncovered),
            same_day=frozenset(same_day),
        )

    def _cover(self, row: Row) -> list[tuple[_Stocked, int]] | Literal["nothing_covers", "charge", "no_customer"]:
        """
        Take the row's quantity from what the customer bought, and say from where.

        The latest sale that alone has enough left comes first, else the latest ones together. A row is covered in full
        or not at all.
        """
        if row.sku in self._mapping.charges:
            return "charge"
        if row.customer is None:
            return "no_customer"
        wanted = -row.quantity
        latest_first = [sold for sold in reversed(self._sold.get((row.customer, row.sku), [])) if sold.left > 0]
        enough = next((sold for sold in latest_first if sold.left >= wanted), None)
        parts: list[tuple[_Stocked, int]] = []
        for sold in latest_first if enough is None else [enough]:
            part = min(sold.left, wanted - sum(taken for _, taken in parts))
            if part:
                parts.append((sold, part))
        if sum(taken for _, taken in parts) < wanted:
            return "nothing_covers"
        for sold, part in parts:
            sold.left -= part
        return parts


def _minor(price: Decimal, currency: str) -> int | None:
    """Return the price in minor units; None when the currency has not that many decimals."""
    scaled = price.scaleb(exponent(currency))
    return int(scaled) if scaled == scaled.to_integral_value() else None
