"""What the benchmark found, as it is written to a file."""

from typing import Literal

from orderloom.benchmark.histories import Histories
from orderloom.benchmark.origin import Origin
from orderloom.benchmark.replaying import Replayed
from orderloom.benchmark.spread import Percentiles, Spread
from orderloom.domain.model import Frozen


class Plan(Frozen):
    """What is measured."""

    seed: int = 20261125
    orders: int = 240
    """In each run, and before the first one to warm up. With all runs together no more than a worker keeps."""
    at_once: int = 32
    """Orders that are on their way at the same time: a closed loop."""
    runs: int = 3
    workers: int = 1
    """Worker processes."""


class Run(Frozen):
    """One run of standard orders, or of empty workflows."""

    orders: int
    completed: float
    """A second, from the first order's placing to the last one's end."""
    whole: Percentiles
    """From an order's placing to its end."""
    placed: float | None = None
    """A second, from the first order's placing to the answer to the last one's."""
    placing: Percentiles | None = None
    """From an order's placing to its answer."""
    cpu: dict[str, float]
    """CPU seconds an order, by process, the load generator's among them."""


class Series(Frozen):
    """The runs of one contender, and what each of its orders leaves behind."""

    runs: tuple[Run, ...]
    histories: Histories | None = None
    """Of a sample of the last run's orders."""
    memory: float | None = None
    """Bytes by which the workers grew for each order that they keep in memory; None when they kept not all of them."""


class Report(Frozen):
    """Standard orders beside the raw twin and the floor, run by turns on the same servers."""

    kind: Literal["benchmark"] = "benchmark"
    command: str
    origin: Origin
    plan: Plan
    orders: Series
    twin: Series
    floor: Series
    replay: Replayed | None = None
    """Of the sample's histories. None in reports of before there was this."""

    @property
    def passed(self) -> bool:
        """Return that nothing failed: figures alone pass no judgement."""
        return True

    @property
    def of_the_twin(self) -> Spread:
        """Return the orders a second as a share of the twin's, turn by turn."""
        turns = zip(self.orders.runs, self.twin.runs, strict=True)
        return Spread.of(ours.completed / twin.completed for ours, twin in turns)
