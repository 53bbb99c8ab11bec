"""What it costs to answer a routing question: CPU time in this process, of questions of several families and sizes."""

from collections.abc import Callable, Iterator
from time import process_time
from typing import Literal

from orderloom.benchmark.backlog_report import Verdict
from orderloom.benchmark.origin import Origin
from orderloom.benchmark.questions import FAMILIES, question
from orderloom.benchmark.spread import Percentiles
from orderloom.domain.model import Frozen
from orderloom.domain.routing import RoutingAnswer, RoutingQuestion
from orderloom.domain.solver import find_routes


class Size(Frozen):
    """How large questions are, and what must hold of their answers."""

    locations: int
    lines: int
    p99: float | None = None
    """Seconds that 99 of 100 answers may take; None when only the cap counts."""
    proven: float = 0.0
    """The share that must be proven."""


SMALL = Size(locations=30, lines=10, p99=0.015, proven=0.995)
MIDDLE = Size(locations=100, lines=20, p99=0.250, proven=0.995)
LARGE = Size(locations=1000, lines=100)


class RoutingPlan(Frozen):
    """What is measured."""

    seed: int = 20261126
    questions: int = 100
    """Of each family, in the two smaller sizes."""
    large: int = 3
    """Of each family, in the largest."""


class Answered(Frozen):
    """The questions of one size and family."""

    size: Size
    family: str
    taken: tuple[float, ...]
    """CPU seconds of each."""
    proven: int
    """Whose first route is certain to be the best."""
    complete: int
    """Whose alternatives are certain to be the next best."""
    locations: tuple[int, ...]
    """How many locations each first route has."""
    bounds: tuple[int, ...]
    """The lower bound of each on the number of locations."""
    cap: float
    """Seconds that an answer may take."""

    @property
    def of(self) -> Percentiles:
        """Return the percentiles of the CPU time."""
        return Percentiles.of(self.taken)


class RoutingReport(Frozen):
    """What answering came to."""

    kind: Literal["routing"] = "routing"
    command: str
    origin: Origin
    plan: RoutingPlan
    answered: tuple[Answered, ...]

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Return what must hold of each size, all families together."""
        return tuple(verdict for size in self._sizes() for verdict in self._of(size))

    @property
    def passed(self) -> bool:
        """Return whether all of it does."""
        return all(verdict.holds for verdict in self.verdicts)

    def _sizes(self) -> Iterator[Size]:
        yield from dict.fromkeys(each.size for each in self.answered)

    def _of(self, size: Size) -> Iterator[Verdict]:
        series = [each for each in self.answered if each.size == size]
        taken = [seconds for each in series for seconds in each.taken]
        what = f"{size.locations:,} locations, {size.lines} lines"
        if size.p99 is not None:
            p99, share = Percentiles.of(taken).p99, sum(each.proven for each in series) / len(taken)
            yield Verdict(
                claim=f"{what}: p99 below {size.p99 * 1000:.0f} ms", found=f"{p99 * 1000:.1f} ms", holds=p99 < size.p99
            )
            yield Verdict(claim=f"{what}: {size.proven:.1%} proven", found=f"{share:.1%}", holds=share >= size.proven)
        cap, longest = series[0].cap, max(taken)
        yield Verdict(
            claim=f"{what}: an answer and its bound within {cap:.0f} s", found=f"{longest:.2f} s", holds=longest <= cap
        )


def measure_routing(
    plan: RoutingPlan, command: str, origin: Origin, begins: Callable[[str, int], Callable[[int], None]]
) -> RoutingReport:
    """Answer the questions of *plan*, after some for what a process does only once."""
    for family in FAMILIES:
        find_routes(question(family, 20, 5, "warm"))
    found: list[Answered] = []
    sizes = ((SMALL, plan.questions), (MIDDLE, plan.questions), (LARGE, plan.large))
    for size, count in sizes:
        for family in FAMILIES if count else ():
            told = begins(f"{size.locations} locations, {family}", count)
            found.append(_answer(size, family, plan.seed, count, told))
    return RoutingReport(command=command, origin=origin, plan=plan, answered=tuple(found))


def _answer(size: Size, family: str, seed: int, count: int, told: Callable[[int], None]) -> Answered:
    taken: list[float] = []
    answers: list[RoutingAnswer] = []
    cap = 0.0
    for number in range(count):
        asked = question(family, size.locations, size.lines, f"{seed} {number}")
        cap = asked.seconds
        seconds, answer = _timed(asked)
        taken.append(seconds)
        answers.append(answer)
        told(number + 1)
    return Answered(
        size=size,
        family=family,
        taken=tuple(taken),
        proven=sum(answer.proven for answer in answers),
        complete=sum(answer.complete for answer in answers),
        locations=tuple(len(answer.routes[0].locations) for answer in answers),
        bounds=tuple(answer.lower_bound or 0 for answer in answers),
        cap=cap,
    )


def _timed(asked: RoutingQuestion) -> tuple[float, RoutingAnswer]:
    begun = process_time()
    answer = find_routes(asked, lambda: process_time() - begun)
    return process_time() - begun, answer
