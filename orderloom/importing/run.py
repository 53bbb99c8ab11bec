"""Runs an import day by day: orders are placed, cancelled, shipped and returned as the file says they were."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic

from orderloom.domain.model import Frozen
from orderloom.importing.bodies import ChangeOfSale, changes_of, place_order, shipped, ships_at
from orderloom.importing.classify import Cancellation, Classifier, Refused, Sale, Split
from orderloom.importing.days import Day, days
from orderloom.importing.desk import Desk, Servers
from orderloom.importing.exceptions import Unresolved, orders_by_invoice, record, unresolved
from orderloom.importing.mapping import Mapping
from orderloom.importing.progress import Progress, ProgressFile
from orderloom.importing.report import RefusedReport, refused_report
from orderloom.importing.survey import Selection, Survey

IN_FLIGHT = 16
"""Customers whose day is under way at once; the orders of one customer follow each other."""

type Tell = Callable[[Day, int], None]
"""Called after each day with how many orders are placed in it."""


class Outcome(Frozen):
    """What an import did."""

    split: Split
    report: Path
    """The report of refused rows."""
    placed: int
    """Orders placed or found placed by this run."""
    skipped: int
    """Orders of days that an earlier run had finished."""
    seconds: float
    """Real time that the days took."""

    @property
    def orders_per_second(self) -> float:
        """Return the orders that went from placed to shipped per second of real time."""
        return self.placed / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, kw_only=True)
class _Ended:
    """What of a customer's day did not go as the file says."""

    refused: list[Refused]
    """Rows of orders that were refused when placed."""
    late: list[Unresolved]
    """Rows of cancellations that their orders refused."""


class Importer:
    """One import against the running system. Its warehouse is set up already."""

    def __init__(self, servers: Servers, mapping: Mapping, surveyed: Survey, data_directory: Path) -> None:
        self._servers = servers
        self._mapping = mapping
        self._id = surveyed.id
        self._desk = Desk(servers, mapping.channel)
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._file = ProgressFile(data_directory, surveyed.id)
        self._report = data_directory / "imports" / f"{surveyed.id}.refused.csv"

    async def run(self, selection: Selection, tell: Tell) -> Outcome:
        """
        Import what the selection holds, from behind the last day that is done.

        Raises:
            ImportStalled: an order did not answer; what was done stays done.
        """
        done = self._file.read()
        classifier = Classifier(self._mapping)
        placed = skipped = 0
        started = monotonic()
        with refused_report(self._report) as report:
            for item in days(selection.items(classifier, self._mapping)):
                if isinstance(item, Refused):
                    report.add(item)
                    continue
                if done.through is not None and item.day <= done.through:
                    skipped += item.placed
                else:
                    done = await self._day(item, done, report)
                    placed += item.placed
                    self._file.write(done)
                tell(item, item.placed)
        return Outcome(
            split=_split(classifier.split, done),
            report=self._report,
            placed=placed,
            skipped=skipped,
            seconds=monotonic() - started,
        )

    async def _day(self, day: Day, done: Progress, report: RefusedReport) -> Progress:
        """Do all that is of one day; return the progress behind it."""
        ended = await asyncio.gather(*(self._customer(items) for items in day.by_customer()))
        refused = [row for one in ended for row in one.refused]
        for row in refused:
            report.add(row)
        late = {exception.row: exception for one in ended for exception in one.late}
        await self._record(day, list(late.values()))
        reasons = Counter(done.orders_refused) + Counter(row.reason for row in refused)
        return Progress(
            through=day.day,
            changes_refused=done.changes_refused + len(late),
            orders_refused=dict(sorted(reasons.items())),
        )

    async def _customer(self, items: list[Sale | Cancellation]) -> _Ended:
        """Place, cancel or return, and ship what is of one customer and day."""
        async with self._slots:
            placed: list[str] = []
            refused: list[Refused] = []
            late: list[Unresolved] = []
            for item in items:
                if isinstance(item, Sale):
                    order_id, rows = await self._place(item)
                    refused += rows
                    placed += [] if rows else [order_id]
                else:
                    late += await self._change(item)
            if placed:
                await self._ship(placed, items[0].at)
            return _Ended(refused=refused, late=late)

    async def _place(self, sale: Sale) -> tuple[str, list[Refused]]:
        """Place a sale; return its order, and its rows if it was refused."""
        key = f"{self._mapping.mapping}:{sale.invoice}"
        order_id, receipt = await self._desk.place(key, sale.invoice, place_order(self._mapping, sale), sale.at)
        if receipt.status == "accepted":
            return order_id, []
        reason = receipt.problem.code if receipt.problem else "refused"
        detail = receipt.problem.detail if receipt.problem else "the order was refused"
        return order_id, [
            Refused(row=line.row, invoice=sale.invoice, sku=line.sku, reason=reason, detail=detail)
            for line in sale.lines
        ]

    async def _ship(self, placed: list[str], day: datetime) -> None:
        leaves = ships_at(self._mapping, day)
        await self._desk.rest(placed, leaves)
        for order_id, id, location in await self._desk.to_ship(placed):
            await self._desk.ship(order_id, location, shipped(id), leaves)
        await self._desk.rest(placed, leaves)

    async def _change(self, cancellation: Cancellation) -> list[Unresolved]:
        """Apply a cancellation to the orders that cover it; return what an order refused."""
        changes = changes_of(cancellation)
        async with self._servers.engine.connect() as conn:
            orders = await orders_by_invoice(conn, self._mapping.channel, {change.sale for change in changes})
        refused: list[Unresolved] = []
        for change in changes:
            key = f"{self._mapping.mapping}:{change.invoice}:{change.sale}"
            order_id = orders[change.sale]
            await self._desk.rest([order_id], change.at)
            receipt = await self._desk.change(key, order_id, change.kind, change.body, change.at)
            await self._desk.rest([order_id], change.at)
            if receipt.status != "accepted":
                refused += _refused(change, receipt.problem.code if receipt.problem else "refused", order_id)
        return refused

    async def _record(self, day: Day, refused: list[Unresolved]) -> None:
        found = [one for item in day.items if isinstance(item, Cancellation) for one in unresolved(item)]
        async with self._servers.engine.begin() as conn:
            await record(conn, self._id, [*found, *refused])


def _split(split: Split, done: Progress) -> Split:
    """Count what orders refused as what it became: an exception, or a refused row."""
    rows = sum(done.orders_refused.values())
    reasons = Counter(split.reasons) + Counter(done.orders_refused)
    return split.model_copy(
        update={
            "orders": split.orders - rows,
            "refused": split.refused + rows,
            "changes": split.changes - done.changes_refused,
            "exceptions": split.exceptions + done.changes_refused,
            "reasons": dict(sorted(reasons.items())),
        }
    )


def _refused(change: ChangeOfSale, code: str, order_id: str) -> list[Unresolved]:
    return [
        Unresolved(
            row=row,
            invoice=change.invoice,
            code=code,
            detail=f"Row {row}: order {order_id} refused the {change.kind}.",
            at=change.at,
        )
        for row in change.rows
    ]
