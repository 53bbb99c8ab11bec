"""The scenarios of this folder, golden ones among them, against the real workflow, servers and database."""

from itertools import count
from pathlib import Path

import pytest

from orderloom.bootstrap.clock import VirtualClock
from orderloom.cli.scenario import ScenarioServers
from orderloom.domain.model import JsonObject
from orderloom.scenarios.case import Case
from orderloom.scenarios.compare import Difference
from orderloom.scenarios.runner import read_all, run_cases
from orderloom.stack import Stack
from tests.scenarios.rerun import rerun

CASES = read_all([Path(__file__).parent])
_numbers = count(1)


def prefix() -> str:
    return f"t{next(_numbers)}k"


async def differences(case: Case, stack: Stack, prefix: str) -> list[Difference]:
    assert isinstance(stack.clock, VirtualClock)
    (verdict,) = await run_cases([case], ScenarioServers(stack, stack.clock), tell=lambda _: None, prefix=prefix)
    return [found.difference for found in verdict.found]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
async def test_scenario(case: Case, told_wrong: list[tuple[JsonObject, JsonObject]], stack: Stack) -> None:
    """
    Everything is as the scenario demands, the books are right, and what its orders recorded simulates to the letter.

    Flows are told of every sum what the database says once the transaction is written.

    Under flows that differ in nothing but their version no order would have gone otherwise, and none is unclear.
    Calls are compared with the arguments that were recorded: so are the headers that their expressions saw.
    """
    own = prefix()

    assert await differences(case, stack, own) == []
    assert told_wrong == []

    verdicts = await rerun(stack.engine, own)
    assert [verdict for verdict in verdicts if verdict.outcome != "same"] == []
    assert len(verdicts) >= sum(step.place is not None and step.place.refused is None for step in case.steps)


WRONG = """\
scenario: Wrong on purpose
world:
  locations:
    A: {stock: {S: 10}}
  prices: {S: 10.00}
orders:
  O: {lines: {S: 2}}
steps:
  - place: O
  - cancel: {order: O, items: {S: 1}, refused: change.refused}
  - report: {order: O, type: shipped}
  - expect:
      orders:
        O: {status: waiting, captures: [20.00], never: [capture], reservations: {A: 1}}
      stock: {A: {S: 8}}
      gateway: {capture: 2}
  - return: {order: O, items: {S: 5}}
"""


async def test_everything_that_differs_is_told(tmp_path: Path, stack: Stack) -> None:
    """A scenario that demands what is not so gets each difference, expected and actual."""
    path = tmp_path / "wrong.yaml"
    path.write_text(WRONG, encoding="utf-8")
    (case,) = read_all([path])

    found = await differences(case, stack, prefix())

    assert [(one.path, one.expected, one.actual) for one in found[:-1]] == [
        ("answer", "refused: change.refused", "accepted"),
        ("orders.O.status", "waiting", "fulfilled"),
        ("orders.O.captures[1]", "20.00", "10.00"),
        ("orders.O.reservations.A", "1", "nothing"),
        ("orders.O.never", "no capture", "capture has occurred"),
        ("stock.A.S.on_hand", "8", "9"),
        ("gateway.capture", "2", "1"),
    ]
    assert found[-1].expected == "accepted"
    assert found[-1].actual.startswith("refused: change.quantity_unavailable")


async def test_a_flow_that_does_not_exist_is_told(tmp_path: Path, stack: Stack) -> None:
    """A world that cannot be set up is a difference too; nothing of the case is run."""
    path = tmp_path / "flow.yaml"
    path.write_text(WRONG.replace("world:\n", "world:\n  flows: {use: [nowhere]}\n"), encoding="utf-8")
    (case,) = read_all([path])

    (found,) = await differences(case, stack, prefix())

    assert (found.path, found.expected) == ("world", "it can be done")
    assert "nowhere" in found.actual
