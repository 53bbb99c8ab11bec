"""What a run did and found."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.table import Table

ENOUGH = 5
"""Strikes of each kind of kill."""
UNFINISHED = 20
"""Orders that must be under way for a strike to count."""


@dataclass(frozen=True, kw_only=True)
class Strike:
    """One blow."""

    kind: str
    detail: str
    at: float
    """Seconds since the run began."""
    unfinished: int
    back: float
    """Seconds until everyone was there again."""

    @property
    def counts(self) -> bool:
        """Whether enough orders were under way."""
        return self.unfinished >= UNFINISHED


@dataclass(kw_only=True)
class Act:
    """Orders, blows of one kind, and how it ended."""

    name: str
    orders: int
    strikes: list[Strike] = field(default_factory=list[Strike])
    recovery: float = 0.0
    """Seconds from the last blow to the end of the last order."""
    failures: list[str] = field(default_factory=list[str])


@dataclass(kw_only=True)
class Report:
    """A whole run."""

    seed: int
    acts: list[Act] = field(default_factory=list[Act])
    kills: Sequence[str] = ()
    """Kinds of kill that must strike often enough."""
    repeated: int = 0
    seconds: float = 0.0

    @property
    def counts(self) -> Counter[str]:
        """Strikes by kind, those that count."""
        return Counter(strike.kind for act in self.acts for strike in act.strikes if strike.counts)

    @property
    def failures(self) -> list[str]:
        """Everything that was not as it must be."""
        rare = [
            f"{kind} struck {self.counts[kind]} times while {UNFINISHED} orders were unfinished, not {ENOUGH}"
            for kind in self.kills
            if self.counts[kind] < ENOUGH
        ]
        return [f"{act.name}: {failure}" for act in self.acts for failure in act.failures] + rare

    @property
    def passed(self) -> bool:
        """Whether everything was as it must be."""
        return not self.failures


def table(report: Report) -> Table:
    """Return what struck how often, and how long recovery took."""
    shown = Table(box=None, padding=(0, 2, 0, 0))
    shown.add_column("what was broken")
    for name in ("orders", "strikes", f"with {UNFINISHED} unfinished", "back, most s", "all ended after s", "failures"):
        shown.add_column(name, justify="right")
    for act in report.acts:
        shown.add_row(
            act.name,
            str(act.orders),
            str(len(act.strikes)),
            str(sum(strike.counts for strike in act.strikes)),
            f"{max((strike.back for strike in act.strikes), default=0):.1f}",
            f"{act.recovery:.1f}",
            str(len(act.failures)),
        )
    return shown
