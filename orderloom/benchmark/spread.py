"""Numbers that were measured more than once."""

from collections.abc import Iterable, Sequence
from math import ceil
from statistics import median

from orderloom.domain.model import Frozen


class Spread(Frozen):
    """The middle one of several measurements, and how far the others lie from it."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Return the spread of *values*, of which there is at least one."""
        found = list(values)
        return cls(median=median(found), least=min(found), most=max(found))


class Percentiles(Frozen):
    """Durations that half, 95 % and 99 % of all did not exceed, in seconds."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Percentiles":
        """Return the percentiles of *values*, of which there is at least one."""
        return cls(p50=percentile(values, 0.50), p95=percentile(values, 0.95), p99=percentile(values, 0.99))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest of *values* that at least *share* of them do not exceed: one that was measured."""
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]
