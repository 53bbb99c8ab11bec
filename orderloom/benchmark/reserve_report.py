"""What reserving costs, beside the least that it could cost."""

from typing import Literal

from orderloom.benchmark.origin import Origin
from orderloom.benchmark.spread import Spread
from orderloom.domain.model import Frozen


class ReservePlan(Frozen):
    """What is measured."""

    seed: int = 20261125
    orders: int = 500
    """Reservations, and bare updates, in each run."""
    connections: int = 8
    runs: int = 3


class ReserveRun(Frozen):
    """Transactions a second."""

    reservations: float
    bare: float


class ReserveReport(Frozen):
    """The whole reserve transaction and a bare conditional update of the same row, by turns."""

    kind: Literal["reserve"] = "reserve"
    command: str
    origin: Origin
    plan: ReservePlan
    runs: tuple[ReserveRun, ...]
    reserved: int
    """Units that the row says are reserved in the end."""
    wanted: int
    """Units that were reserved."""
    findings: tuple[str, ...]
    """What is wrong with the books."""

    @property
    def reservations(self) -> Spread:
        """Return the reservations a second."""
        return Spread.of(run.reservations for run in self.runs)

    @property
    def bare(self) -> Spread:
        """Return the bare updates a second."""
        return Spread.of(run.bare for run in self.runs)

    @property
    def share(self) -> Spread:
        """Return the reservations a second as a share of the bare updates, turn by turn."""
        return Spread.of(run.reservations / run.bare for run in self.runs)

    @property
    def passed(self) -> bool:
        """Return whether everything was reserved once, and the books are right."""
        return self.reserved == self.wanted and not self.findings
