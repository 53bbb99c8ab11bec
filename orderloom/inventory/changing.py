"""
Stock that is counted, adjusted, kept back, expected and received: up to 100 records in one transaction.

Each record has its result. Asked twice with the same key it is done once.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orderloom.domain.errors import NotFound
from orderloom.domain.model import Frozen, Identifier, Instant, JsonObject
from orderloom.domain.reserving import MAX_RECORDS
from orderloom.persistence.futures import Receipt, lock_receipts, unknown_shelves, write_receipts
from orderloom.persistence.requests import Answered, Asked, once
from orderloom.persistence.stock_merge import SUPERSEDED, Mode, StockRow, merge_stock

_MOST = 2_000_000_000
Quantity = Annotated[int, Field(strict=True, ge=0, le=_MOST)]
Reason = Annotated[str, Field(min_length=1, max_length=200)]


class ReceiptUnknown(NotFound):
    """No receipt with this id is expected.

    It may have been received already; check the id.
    """

    code = "receipt.unknown"


class Adjustment(Frozen):
    """What is on hand changes by *delta*, for a reason."""

    location: Identifier
    sku: Identifier
    delta: Annotated[int, Field(strict=True, ge=-_MOST, le=_MOST)]
    reason: Reason


class Adjustments(Frozen):
    """Adjustments of what is on hand. Those of one shelf are done together."""

    records: Annotated[list[Adjustment], Field(min_length=1, max_length=MAX_RECORDS)]


class StockCount(Frozen):
    """What was counted."""

    location: Identifier
    sku: Identifier
    quantity: Quantity
    counted_at: Instant | None = None
    """What moved after that is kept; left out, it was counted just now. A later count of the shelf supersedes it."""


class StockCounts(Frozen):
    """Counts of what is on hand. Of several counts of one shelf the latest one counts."""

    records: Annotated[list[StockCount], Field(min_length=1, max_length=MAX_RECORDS)]
    reason: Reason = "count"


class SafetyStock(Frozen):
    """How many units are kept back."""

    location: Identifier
    sku: Identifier
    quantity: Quantity


class SafetyStocks(Frozen):
    """Safety stock from now on. Of several records of one shelf the last one counts."""

    records: Annotated[list[SafetyStock], Field(min_length=1, max_length=MAX_RECORDS)]
    reason: Reason = "safety stock"


class ExpectedReceipt(Frozen):
    """What is on its way to a location. The same id again replaces it."""

    id: Identifier
    location: Identifier
    sku: Identifier
    quantity: Quantity
    """0: it does not come."""
    expected_at: Instant | None = None
    """Left out: nobody knows when."""


class ExpectedReceipts(Frozen):
    """What is on its way. Their sum is what may be ordered beyond what is there."""

    records: Annotated[list[ExpectedReceipt], Field(min_length=1, max_length=MAX_RECORDS)]


class ReceiptArrived(Frozen):
    """What has arrived of a receipt: it is on hand, and what is missing stays expected."""

    quantity: Annotated[int, Field(strict=True, ge=1, le=_MOST)] | None = None
    """Left out: all of it."""
    last: bool = False
    """Nothing more comes of it, even if less has arrived."""


class ChangeResult(Frozen):
    """What became of one record, in the order of the request."""

    status: Literal["done", "refused"]
    code: str | None = None
    """Why not: ``location.unknown``, ``sku.unknown``, ``stock.out_of_range`` or ``count.superseded``."""


class StockAnswer(Frozen):
    """What became of the records of a request."""

    results: tuple[ChangeResult, ...]


async def adjust(engine: AsyncEngine, key: str, wanted: Adjustments, now: datetime) -> Answered:
    """Change what is on hand."""
    rows = [StockRow(n, r.location, r.sku, r.delta, None, r.reason) for n, r in enumerate(wanted.records)]
    asked = Asked(key=key, kind="stock.adjust", body=wanted.model_dump(mode="json"), now=now)
    return await _merge(engine, asked, rows, "delta")


async def count(engine: AsyncEngine, key: str, wanted: StockCounts, now: datetime) -> Answered:
    """Set what is on hand."""
    rows = [
        StockRow(n, r.location, r.sku, r.quantity, r.counted_at, wanted.reason) for n, r in enumerate(wanted.records)
    ]
    asked = Asked(key=key, kind="stock.count", body=wanted.model_dump(mode="json"), now=now)
    return await _merge(engine, asked, rows, "full")


async def keep_back(engine: AsyncEngine, key: str, wanted: SafetyStocks, now: datetime) -> Answered:
    """Set safety stock; what is reserved stays reserved, and what becomes free goes to orders that wait for it."""
    rows = [StockRow(n, r.location, r.sku, 0, None, wanted.reason, r.quantity) for n, r in enumerate(wanted.records)]
    asked = Asked(key=key, kind="stock.keep_back", body=wanted.model_dump(mode="json"), now=now)
    return await _merge(engine, asked, rows, "delta")


async def _merge(engine: AsyncEngine, asked: Asked, rows: Sequence[StockRow], mode: Mode) -> Answered:
    async def work(conn: AsyncConnection) -> JsonObject:
        merged = await merge_stock(conn, rows, mode, asked.now)
        refused = dict(merged.refused)
        # Records of a shelf are taken together; only counts are superseded one by one.
        shelves = {(rows[n].location, rows[n].sku): code for n, code in merged.refused if code != SUPERSEDED}
        return _answer([refused.get(n) or shelves.get((row.location, row.sku)) for n, row in enumerate(rows)])

    return await once(engine, asked, work)


async def expect(engine: AsyncEngine, key: str, wanted: ExpectedReceipts, now: datetime) -> Answered:
    """Say what is on its way, instead of what was said under the same ids before."""

    async def work(conn: AsyncConnection) -> JsonObject:
        unknown = await unknown_shelves(conn, ((r.location, r.sku) for r in wanted.records))
        last = {r.id: r for r in wanted.records if (r.location, r.sku) not in unknown}
        after = [Receipt(r.id, r.location, r.sku, r.quantity, r.expected_at) for r in last.values()]
        await write_receipts(conn, await lock_receipts(conn, last), after)
        return _answer([unknown.get((r.location, r.sku)) for r in wanted.records])

    asked = Asked(key=key, kind="stock.expect", body=wanted.model_dump(mode="json"), now=now)
    return await once(engine, asked, work)


async def receive(engine: AsyncEngine, key: str, id: str, arrived: ReceiptArrived, now: datetime) -> Answered:
    """
    Let what was expected be on hand.

    Raises:
        ReceiptUnknown: it is not expected, or was received.
        IdempotencyKeyReused: the key came with another request.
    """

    async def work(conn: AsyncConnection) -> JsonObject:
        before = await lock_receipts(conn, [id])
        if id not in before:
            raise ReceiptUnknown(f"no receipt {id} is expected", receipt=id)
        receipt = before[id]
        quantity = receipt.quantity if arrived.quantity is None else arrived.quantity
        left = 0 if arrived.last else max(0, receipt.quantity - quantity)
        row = StockRow(0, receipt.location, receipt.sku, quantity, None, f"receipt:{id}")
        await merge_stock(conn, [row], "delta", now)
        await write_receipts(conn, before, [receipt._replace(quantity=left)])
        return _answer([None])

    body: JsonObject = {"receipt": id, **arrived.model_dump(mode="json")}
    return await once(engine, Asked(key=key, kind="stock.receive", body=body, now=now), work)


def _answer(codes: Sequence[str | None]) -> JsonObject:
    results = tuple(ChangeResult(status="refused" if code else "done", code=code) for code in codes)
    return StockAnswer(results=results).model_dump(mode="json")
