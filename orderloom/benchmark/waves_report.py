"""What routing in waves saves against one by one."""

from collections.abc import Callable
from typing import Literal

from orderloom.benchmark.origin import Origin
from orderloom.benchmark.spread import Spread
from orderloom.domain.model import Frozen


class Scene(Frozen):
    """How much of what is wanted there is, and what the policy allows."""

    name: str
    stock: float
    """Units that there are for each unit that is wanted."""
    max_splits: int | None


SCENES = (
    Scene(name="enough stock", stock=1.0, max_splits=None),
    Scene(name="scarce stock", stock=0.8, max_splits=1),
)
"""With enough of everything all orders go out, and waves can save splits; with too little they decide who gets it."""


class WavesPlan(Frozen):
    """What is measured."""

    seed: int = 20261127
    """Every run has other orders and other stock."""
    orders: int = 300
    locations: int = 12
    skus: int = 40
    runs: int = 3


class Came(Frozen):
    """What routing the due orders came to, in one way."""

    whole: int
    """Orders of which everything goes out."""
    urgent: int
    """Of these, orders of the highest priority."""
    units: int
    """Units that go out."""
    shipments: int
    splits: int
    km: float
    """Over all shipments."""
    statements: int
    """Sent to PostgreSQL, without those that begin and end transactions."""
    seconds: float
    worker: float
    """CPU seconds of the process that routes."""
    postgres: float
    """CPU seconds of PostgreSQL."""


class WavesRun(Frozen):
    """The same due orders, routed twice."""

    scene: str
    alone: Came
    """One by one, in the order of placing."""
    waves: Came
    """In one wave; each order's own actions then accept."""
    urgent: int
    """Orders of the highest priority."""
    findings: tuple[str, ...] = ()
    """What is wrong with the books, in either way."""


class WavesReport(Frozen):
    """Due orders routed one by one and in a wave, from the same stock."""

    kind: Literal["waves"] = "waves"
    command: str
    origin: Origin
    plan: WavesPlan
    runs: tuple[WavesRun, ...]

    def alone(self, scene: str, figure: Callable[[Came], float]) -> Spread:
        """Return a figure of one by one over the runs of a scene."""
        return Spread.of(figure(run.alone) for run in self.runs if run.scene == scene)

    def waves(self, scene: str, figure: Callable[[Came], float]) -> Spread:
        """Return a figure of waves over the runs of a scene."""
        return Spread.of(figure(run.waves) for run in self.runs if run.scene == scene)

    def more(self, scene: str, figure: Callable[[Came], float]) -> Spread:
        """Return how much more a figure is with waves, as a share of one by one, run by run; below 0 it is less."""
        pairs = [(figure(run.alone), figure(run.waves)) for run in self.runs if run.scene == scene]
        return Spread.of(waves / alone - 1 if alone else 0.0 for alone, waves in pairs)

    @property
    def passed(self) -> bool:
        """Return whether the books are right."""
        return not any(run.findings for run in self.runs)
