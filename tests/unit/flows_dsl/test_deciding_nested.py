"""Operators' decisions inside loops, branches and sub-flows, and undoing what was done there."""

from typing import Any

import pytest

from flows_dsl.compiled import CompiledFlow
from flows_dsl.problems import FlowUndone
from flows_dsl.runner import Resolution
from flows_dsl.testing import ScriptedRunner, draft, drafted, event, failure, run, run_in_pieces
from orderloom.domain.model import Json, JsonObject

PLACED = event("order.placed", {"channel": "web"})

LOOP = """\
  - each:
      for: {each: item, in: "${ [1, 2, 3] }"}
      do:
        - plan: {call: schedule-routing@1, with: {reason: "${ string(item) }"}}
        - act: {call: act, with: {item: "${ item }"}}
  - after: {call: after}
"""


def _schedules() -> list[Any]:
    return [{"schedule": 1}, {"schedule": 2}, {"schedule": 3}]


def _undone(runner: ScriptedRunner) -> list[tuple[str, Json]]:
    return [effect for effect in runner.effects if effect[0] in {"withdraw-routing@1", "release-reservation@1"}]


def _fails_at(item: int) -> list[Any]:
    failed: list[bool] = []

    def act(arguments: JsonObject) -> Json:
        if arguments["item"] == item and not failed:
            failed.append(True)
            raise failure()
        return {}

    return [act]


async def test_a_retry_in_a_round_goes_on_with_that_round() -> None:
    """The rounds before are not done again, and the rest follows."""
    runner = ScriptedRunner(
        answers={"schedule-routing": _schedules(), "act": _fails_at(2)}, resolutions=[Resolution(kind="retry")]
    )

    await run(draft(LOOP), runner, PLACED)

    assert [arguments["item"] for name, arguments in runner.effects if name == "act"] == [1, 2, 2, 3]  # pyright: ignore
    assert len(set(runner.keys)) == len(runner.keys)
    assert runner.faults[0].within == ("plan", "act", "each", "after")


@pytest.mark.parametrize(
    ("task", "then"),
    [
        pytest.param(
            "plan", ["schedule-routing@1", "act"] * 2 + ["schedule-routing@1", "act"] * 2 + ["after"], id="round"
        ),
        pytest.param("after", ["schedule-routing@1", "act"] * 2 + ["after"], id="out"),
    ],
)
async def test_going_to_a_task_from_a_round(task: str, then: list[str]) -> None:
    """Within the round, or out of the loop, with keys of their own."""
    runner = ScriptedRunner(
        answers={"schedule-routing": [*_schedules(), {"schedule": 4}], "act": _fails_at(2)},
        resolutions=[Resolution(kind="goto", task=task)],
    )

    await run(draft(LOOP), runner, PLACED)

    assert [name for name, _ in runner.effects] == then
    assert len(set(runner.keys)) == len(runner.keys)


@pytest.mark.parametrize("stops", [(), (0,)])
async def test_every_round_is_undone(stops: tuple[int, ...]) -> None:
    """What each round did is undone once, the latest first, also in another run."""
    runner = ScriptedRunner(
        answers={"schedule-routing": _schedules(), "act": _fails_at(3)}, resolutions=[Resolution(kind="compensate")]
    )

    with pytest.raises(FlowUndone):
        await run_in_pieces(draft(LOOP), runner, PLACED, stops)

    assert _undone(runner) == [("withdraw-routing@1", {"schedule": number}) for number in (3, 2, 1)]
    assert len(set(runner.keys)) == len(runner.keys)


FORK = """\
  - both:
      fork:
        branches:
          - left:
              do:
                - promise: {call: create-reservation@1}
                - fail: {call: act}
          - right:
              do:
                - plan: {call: schedule-routing@1}
                - rest: {wait: PT1H}
                - more: {call: later}
  - after: {call: after}
"""


async def test_a_decision_in_a_branch_is_that_branchs() -> None:
    """The other branch goes on by itself; only tasks of the own branch are within reach."""
    runner = ScriptedRunner(
        answers={"schedule-routing": _schedules(), "act": [failure(), {}]}, resolutions=[Resolution(kind="retry")]
    )

    await run(draft(FORK), runner, PLACED)

    assert runner.faults[0].within == ("promise", "fail", "left")
    names = [name for name, _ in runner.effects]
    assert sorted(names) == ["act", "act", "after", "create-reservation@1", "later", "schedule-routing@1"]
    assert names[-1] == "after"


async def test_compensating_in_a_branch_undoes_all_branches() -> None:
    """The other branch does no more, and what it has done is undone too."""
    runner = ScriptedRunner(
        answers={"schedule-routing": _schedules(), "act": [failure()]}, resolutions=[Resolution(kind="compensate")]
    )

    with pytest.raises(FlowUndone):
        await run(draft(FORK), runner, PLACED)

    assert sorted(name for name, _ in _undone(runner)) == ["release-reservation@1", "withdraw-routing@1"]
    names = [name for name, _ in runner.effects]
    assert "after" not in names
    assert names.count("later") == 0
    assert names[-1] == "record-compensation@1"


INNER = """\
  - plan: {call: schedule-routing@1, with: {reason: inner}}
  - fail: {call: act}
  - told: {call: told}
"""
OUTER = """\
  - promise: {call: create-reservation@1}
  - inside: {run: {workflow: {namespace: shop, name: inner, version: 1.0.0, input: {}}}}
  - after: {call: after}
"""


def _outer() -> CompiledFlow:
    return draft(OUTER, flows=[drafted(INNER, name="inner")])


async def test_a_fault_inside_a_sub_flow_tells_which_flow_it_is() -> None:
    """Name, hash and task are those of the flow that failed; its own tasks are within reach, and all calls are told."""
    runner = ScriptedRunner(
        answers={"schedule-routing": _schedules(), "act": [failure(), {}]}, resolutions=[Resolution(kind="retry")]
    )
    compiled = _outer()

    await run(compiled, runner, PLACED)

    (fault,) = runner.faults
    assert (fault.flow, fault.task) == ("inner:1.0.0", "/do/1/fail")
    assert fault.flow_hash != compiled.hash
    assert fault.within == ("plan", "fail", "told")
    assert [it.action for it in fault.compensations] == ["schedule-routing@1", "create-reservation@1"]
    assert [name for name, _ in runner.effects] == [
        "create-reservation@1",
        "schedule-routing@1",
        "act",
        "act",
        "told",
        "after",
    ]


@pytest.mark.parametrize("stops", [(), (0,)])
async def test_compensating_inside_a_sub_flow_undoes_all_of_the_instance(stops: tuple[int, ...]) -> None:
    """What the flow around it has done is undone too, after what it did itself."""
    runner = ScriptedRunner(
        answers={"schedule-routing": _schedules(), "act": [failure()]}, resolutions=[Resolution(kind="compensate")]
    )

    with pytest.raises(FlowUndone):
        await run_in_pieces(_outer(), runner, PLACED, stops)

    assert [name for name, _ in runner.effects[3:]] == [
        "withdraw-routing@1",
        "release-reservation@1",
        "record-compensation@1",
    ]
    assert "after" not in [name for name, _ in runner.effects]


async def test_what_a_sub_flow_did_is_undone_after_it_has_ended() -> None:
    """Its calls are calls of the instance."""
    compiled = draft(
        OUTER.replace("after: {call: after}", "fail: {call: act}"),
        flows=[drafted(INNER.replace("call: act", "call: fine"), name="inner")],
    )
    runner = ScriptedRunner(
        answers={"schedule-routing": _schedules(), "act": [failure()]}, resolutions=[Resolution(kind="compensate")]
    )

    with pytest.raises(FlowUndone):
        await run(compiled, runner, PLACED)

    assert [name for name, _ in _undone(runner)] == ["withdraw-routing@1", "release-reservation@1"]
