"""What it costs to check a flow: CPU time in this process, of a flow whose every expression is new to it."""

from time import process_time
from typing import Literal

from flows_dsl.check import check_text
from orderloom.benchmark.origin import Origin
from orderloom.benchmark.spread import Spread
from orderloom.domain.model import Frozen

MOST = 100.0
"""Milliseconds that checking a flow of a hundred tasks may take."""

_HEAD = """\
document: {dsl: 1.0.3, namespace: shop, name: measured, version: 1.0.0}
evaluate: {language: cel}
schedule: {on: {one: {with: {type: order.placed}}}}
do:
"""
_FOUR = """\
  - reserve-N:
      if: ${ order.seq > N && order.policy.reserve == "placing" }
      call: create-reservation
  - choose-N:
      switch:
        - short: {when: '${ order.units.reserved == N }', then: wait-N}
  - tell-N:
      emit: {event: {with: {type: exception.occurred, data: {category: Payment, code: '${ order.id + "-N" }'}}}}
  - wait-N:
      wait: ${ order.policy.remorse }
      timeout: {after: P1D}
"""
TASKS_EACH = 4


class CheckPlan(Frozen):
    """What is measured."""

    tasks: int = 100
    runs: int = 9


class CheckReport(Frozen):
    """What checking came to."""

    kind: Literal["check"] = "check"
    command: str
    origin: Origin
    plan: CheckPlan
    runs: tuple[float, ...]
    """Milliseconds of CPU time of each run."""
    findings: int
    """Of all runs."""

    @property
    def milliseconds(self) -> Spread:
        """Return the CPU time of a check."""
        return Spread.of(self.runs)

    @property
    def passed(self) -> bool:
        """Return whether the flow has no finding, and a check stays below what it may take."""
        return not self.findings and self.milliseconds.median < MOST * max(1.0, self.plan.tasks / 100)


def flow_of(tasks: int, run: int) -> str:
    """Return a flow of this many tasks, in CEL; that of each run has other expressions."""
    numbers = (run * tasks + at for at in range(tasks // TASKS_EACH))
    return _HEAD + "".join(_FOUR.replace("N", str(number)) for number in numbers)


def measure_check(plan: CheckPlan, command: str, origin: Origin) -> CheckReport:
    """Check a flow as often as *plan* says, after once for what a process does only once."""
    findings, runs = len(check_text(flow_of(plan.tasks, 0))), list[float]()
    for run in range(1, plan.runs + 1):
        text = flow_of(plan.tasks, run)
        begun = process_time()
        findings += len(check_text(text))
        runs.append((process_time() - begun) * 1000)
    return CheckReport(command=command, origin=origin, plan=plan, runs=tuple(runs), findings=findings)
