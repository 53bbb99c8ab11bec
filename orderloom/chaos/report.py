"""What a run did and found."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.table import Table

from orderloom.chaos.passes import Waves

ENOUGH = 5
"""Strikes of each kind of kill."""
WAVES = 2
"""Waves that kills must strike at least, at the moments that they happen to fall. Most often it is about ten."""
UNFINISHED = 20
"""Orders that must be under way for a strike to count."""


@dataclass(kw_only=True)
class Strike:
    """One blow."""

    kind: str
    detail: str
    at: float
    """Seconds since the run began."""
    unfinished: int
    back: float
    """Seconds until everyone was there again."""
    taken: float = 0.0
    """Seconds until all orders that came with the blow were taken in."""
    waves: frozenset[int] = frozenset()
    """Waves that were under way when it fell."""

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
    waves: Waves = field(default_factory=Waves)
    repeated: int = 0
    seconds: float = 0.0

    @property
    def counts(self) -> Counter[str]:
        """Strikes by kind, those that count."""
        return Counter(strike.kind for act in self.acts for strike in act.strikes if strike.counts)

    @property
    def waves_struck(self) -> int:
        """Waves that were under way when a kill fell, each once."""
        kills = (strike.waves for act in self.acts for strike in act.strikes if strike.kind in self.kills)
        return len(frozenset[int]().union(*kills))

    @property
    def failures(self) -> list[str]:
        """Everything that was not as it must be."""
        rare = [
            f"{kind} struck {self.counts[kind]} times while {UNFINISHED} orders were unfinished, not {ENOUGH}"
            for kind in self.kills
            if self.counts[kind] < ENOUGH
        ]
        if self.kills and self.waves_struck < WAVES:
            rare.append(f"waves struck by kills: {self.waves_struck}, not {WAVES}")
        return [f"{act.name}: {failure}" for act in self.acts for failure in act.failures] + rare

    @property
    def passed(self) -> bool:
        """Whether everything was as it must be."""
        return not self.failures


def tables(report: Report) -> list[Table]:
    """Return what struck how often, and how long it took until all was well again."""
    return [_strikes(report), _acts(report)]


def _strikes(report: Report) -> Table:
    strikes: dict[str, list[Strike]] = {}
    for act in report.acts:
        for strike in act.strikes:
            strikes.setdefault(strike.kind, []).append(strike)
    columns = (
        "blows",
        f"with {UNFINISHED} unfinished",
        "waves struck",
        "over after s, most",
        "orders taken in after s, most",
    )
    shown = _table("what was broken", *columns)
    for kind, struck in strikes.items():
        back, taken = max(strike.back for strike in struck), max(strike.taken for strike in struck)
        waves = len(frozenset[int]().union(*(strike.waves for strike in struck)))
        shown.add_row(kind, str(len(struck)), str(report.counts[kind]), str(waves), f"{back:.1f}", f"{taken:.1f}")
    return shown


def _acts(report: Report) -> Table:
    shown = _table("act", "orders", "all ended after s", "failures")
    for act in report.acts:
        shown.add_row(act.name, str(act.orders), f"{act.recovery:.1f}", str(len(act.failures)))
    return shown


def _table(first: str, *others: str) -> Table:
    shown = Table(box=None, padding=(0, 2, 0, 0))
    shown.add_column(first)
    for name in others:
        shown.add_column(name, justify="right")
    return shown
