"""What must hold while a backlog drains, and what was found."""

from collections.abc import Sequence
from http import HTTPStatus
from itertools import pairwise
from typing import Literal

from orderloom.benchmark.origin import Origin
from orderloom.benchmark.spread import Percentiles
from orderloom.domain.model import Frozen

SLACK = 15.0
"""Seconds by which an order may end later than its turn, and in which none may end."""
WORKER_BOUND, CACHED_BOUND = 250_000_000, 300_000
"""Bytes that a worker may hold, and for each workflow that it may keep beside that."""
API_BOUND = 400_000_000
"""Bytes that the API may hold."""


class BacklogPlan(Frozen):
    """What is measured."""

    seed: int = 20261125
    orders: int = 5000
    at_once: int = 256
    """Placements that wait for an answer at the same time; each waits until the API has given up on the workers."""
    workers: int = 1
    """Worker processes."""


class Memory(Frozen):
    """Bytes that processes held."""

    most: int
    bound: int
    """What they may hold."""


class Verdict(Frozen):
    """Something that must hold, and whether it did."""

    claim: str
    holds: bool
    found: str


class BacklogReport(Frozen):
    """How a backlog built up and drained."""

    kind: Literal["backlog"] = "backlog"
    command: str
    origin: Origin
    plan: BacklogPlan
    answers: dict[int, int]
    """How many placements were answered with each status."""
    placed: float
    """A second, while no worker ran."""
    drain: float
    """Seconds from the workers' start to the last order's end."""
    longest_wait: float
    """Seconds from an order's being taken in to its end."""
    latest: float
    """Seconds by which an order ended later than its turn; see `lateness`."""
    longest_pause: float
    """Seconds in which no order ended."""
    memory: dict[str, Memory]
    """While it drained, by process."""
    looks: Percentiles
    """Seconds until the API answered the list of orders."""
    placings: Percentiles
    """Seconds until it answered a placement."""
    asked: int
    """How often it was asked for both."""
    errors: tuple[str, ...]
    """What came instead of an answer."""
    findings: tuple[str, ...]
    """What is wrong with the books."""

    @property
    def completed(self) -> float:
        """Return the orders a second."""
        return self.plan.orders / self.drain

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Return what must hold, each with whether it did."""
        return (
            Verdict(
                claim="every order was taken in",
                holds=self.answers == {HTTPStatus.ACCEPTED: self.plan.orders},
                found=", ".join(f"{count:,} answers {status}" for status, count in sorted(self.answers.items())),
            ),
            Verdict(
                claim=f"none ended more than {SLACK:.0f} s later than first in, first out would have it",
                holds=self.latest <= SLACK,
                found=f"{self.latest:.1f} s",
            ),
            Verdict(
                claim=f"orders ended without a pause of more than {SLACK:.0f} s",
                holds=self.longest_pause <= SLACK,
                found=f"{self.longest_pause:.1f} s",
            ),
            *(
                Verdict(
                    claim=f"the {name} held at most {memory.bound / 1e6:,.0f} MB",
                    holds=memory.most <= memory.bound,
                    found=f"{memory.most / 1e6:,.0f} MB",
                )
                for name, memory in self.memory.items()
            ),
            Verdict(
                claim=f"the API answered all {2 * self.asked} requests of a probe",
                holds=not self.errors,
                found=self.errors[0] if self.errors else "yes",
            ),
            Verdict(
                claim="the books are right", holds=not self.findings, found=self.findings[0] if self.findings else "yes"
            ),
        )

    @property
    def passed(self) -> bool:
        """Return whether everything that must hold did."""
        return all(verdict.holds for verdict in self.verdicts)


def lateness(ends: Sequence[float]) -> float:
    """
    Return by how much the latest order ended later than its turn; *ends* are in the order of being taken in.

    First in, first out at the rate at which orders did end, the tenth order would have had the tenth end. So an order
    that others overtook is late by the time between that end and its own, whatever the rate was.
    """
    return max(end - turn for end, turn in zip(ends, sorted(ends), strict=True))


def longest_pause(ends: Sequence[float]) -> float:
    """Return the longest time in which no order ended, the time before the first one included."""
    return max(later - earlier for earlier, later in pairwise([0.0, *sorted(ends)]))
