"""Runs an import day by day: orders are placed, cancelled, shipped and returned as the file says they were."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from orderloom.domain.model import Frozen
from orderloom.importing.bodies import ChangeOfSale, changes_of, place_order, shipped, ships_at
from orderloom.importing.classify import Cancellation, Classifier, Refused, Split
from orderloom.importing.days import Day, by_customer, days
from orderloom.importing.desk import Desk, Servers
from orderloom.importing.exceptions import Unresolved, orders_by_invoice, record, unresolved
from orderloom.importing.mapping import Mapping
from orderloom.importing.progress import Progress, ProgressFile
from orderloom.importing.report import refused_report
from orderloom.importing.survey import Selection, Survey

IN_FLIGHT = 16
"""Orders that are under way at once."""

type Tell = Callable[[Day, int], None]
"""Called after each day with the orders placed in it by this run."""


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


class Importer:
    """One import against the running system. Its warehouse is set up already."""

    def __init__(self, servers: Servers, mapping: Mapping, surveyed: Survey, data_directory: Path) -> None:
        self._servers = servers
        self._mapping = mapping
        self._id = surveyed.id
        self._desk = Desk(servers, mapping.channel, IN_FLIGHT)
        self._progress = ProgressFile(data_directory, surveyed.id)
        self._report = data_directory / "imports" / f"{surveyed.id}.refused.csv"
        self._late = 0

    async def run(self, selection: Selection, tell: Tell) -> Outcome:
        """
        Import what the selection holds, from behind the last day that is done.

        Raises:
            ImportStalled: an order did not answer; what was done stays done.
        """
        done = self._progress.read().through
        classifier = Classifier(self._mapping)
        placed = skipped = 0
        started = monotonic()
        with refused_report(self._report) as report:
            for item in days(selection.items(classifier, self._mapping)):
                if isinstance(item, Refused):
                    report.add(item)
                elif done is not None and item.day <= done:
                    skipped += len(item.sales)
                else:
                    await self._day(item)
                    placed += len(item.sales)
                    self._progress.write(Progress(through=item.day))
                    tell(item, len(item.sales))
        split = self._split(classifier.split)
        return Outcome(split=split, report=self._report, placed=placed, skipped=skipped, seconds=monotonic() - started)

    def _split(self, split: Split) -> Split:
        """Count what an order refused as what it became: an exception."""
        return split.model_copy(
            update={"changes": split.changes - self._late, "exceptions": split.exceptions + self._late}
        )

    async def _day(self, day: Day) -> None:
        placed = dict(await asyncio.gather(*(self._place(day, index) for index in range(len(day.sales)))))
        leaves = ships_at(self._mapping, max(sale.at for sale in day.sales)) if day.sales else None
        if leaves is not None:
            await self._desk.rest(placed.values(), max(sale.at for sale in day.sales))
        changed = await asyncio.gather(*(self._change(group) for group in by_customer(day.cancellations)))
        await self._record(day, [one for found in changed for one in found])
        if leaves is not None:
            await self._desk.rest(placed.values(), leaves)
            open_orders = await self._desk.to_ship(placed.values())
            await asyncio.gather(
                *(self._desk.ship(order, location, shipped(id), leaves) for order, id, location in open_orders)
            )
            await self._desk.rest(placed.values(), leaves)

    async def _place(self, day: Day, index: int) -> tuple[str, str]:
        sale = day.sales[index]
        key = f"{self._mapping.mapping}:{sale.invoice}"
        order_id, _ = await self._desk.place(key, sale.invoice, place_order(self._mapping, sale), sale.at)
        return sale.invoice, order_id

    async def _change(self, cancellations: list[Cancellation]) -> list[Unresolved]:
        """Apply one customer's cancellations in the order of the file; return what an order refused."""
        changes = [change for cancellation in cancellations for change in changes_of(cancellation)]
        async with self._servers.engine.connect() as conn:
            orders = await orders_by_invoice(conn, self._mapping.channel, {change.sale for change in changes})
        refused: list[Unresolved] = []
        for change in changes:
            key = f"{self._mapping.mapping}:{change.invoice}:{change.sale}"
            order_id = orders[change.sale]
            receipt = await self._desk.change(key, order_id, change.kind, change.body, change.at)
            await self._desk.rest([order_id], change.at)
            if receipt.status != "accepted":
                code = receipt.problem.code if receipt.problem else "refused"
                refused += _refused(change, code, order_id)
        return refused

    async def _record(self, day: Day, refused: list[Unresolved]) -> None:
        found = [one for cancellation in day.cancellations for one in unresolved(cancellation)]
        by_row = {one.row: one for one in refused}
        self._late += len(by_row)
        async with self._servers.engine.begin() as conn:
            await record(conn, self._id, [*found, *by_row.values()])


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
