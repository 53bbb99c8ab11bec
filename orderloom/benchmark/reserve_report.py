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
    """Over which reservations are made one by one, and bare updates."""
    at_once: tuple[int, ...] = (10, 64)
    """Orders that want to reserve at the same time in one process, which may share transactions; each is measured. The
    first is how many a worker has unless a setting says otherwise: half of its connections."""
    runs: int = 3


class ReserveRun(Frozen):
    """Of what is measured, how often a second."""

    alone: float
    """Reservations, a transaction each."""
    grouped: tuple[float, ...]
    """Reservations as a worker makes them, for each number of orders at once."""
    bare: float


class ReserveReport(Frozen):
    """The whole reserve transaction, alone and in groups, and a bare conditional update of the same row, by turns."""

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
    def alone(self) -> Spread:
        """Return the reservations a second when each has a transaction of its own."""
        return Spread.of(run.alone for run in self.runs)

    @property
    def grouped(self) -> tuple[Spread, ...]:
        """Return the reservations a second for each number of orders at once."""
        return tuple(Spread.of(run.grouped[number] for run in self.runs) for number in range(len(self.plan.at_once)))

    @property
    def bare(self) -> Spread:
        """Return the bare updates a second."""
        return Spread.of(run.bare for run in self.runs)

    @property
    def alone_share(self) -> Spread:
        """Return the reservations that were made alone as a share of the bare updates, turn by turn."""
        return Spread.of(run.alone / run.bare for run in self.runs)

    @property
    def grouped_share(self) -> tuple[Spread, ...]:
        """Return the same of the reservations for each number of orders at once."""
        return tuple(
            Spread.of(run.grouped[number] / run.bare for run in self.runs) for number in range(len(self.plan.at_once))
        )

    @property
    def passed(self) -> bool:
        """Return whether everything was reserved once, and the books are right."""
        return self.reserved == self.wanted and not self.findings
