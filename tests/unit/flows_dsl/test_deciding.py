"""What an operator decides about an error that nobody caught, and what the instance does then."""

import pytest

from flows_dsl.problems import FlowCancelled, FlowUndone
from flows_dsl.runner import Compensation, Fault, Resolution, Retry, Step
from flows_dsl.testing import Answer, ScriptedRunner, draft, event, failure, run, run_in_pieces
from orderloom.domain.model import Json, JsonObject

PLACED = event("order.placed", {"channel": "web"})

NESTED = """\
  - first: {call: one}
  - outer:
      do:
        - inner:
            try:
              - a: {call: two, with: {x: 1}}
              - b: {call: act, with: {y: "${ input.y }"}}
            catch:
              errors: {with: {status: 500}}
        - next: {call: three}
  - last: {call: four}
"""


async def test_a_fault_tells_what_an_operator_needs() -> None:
    """Task, arguments, action, attempts and the tasks within reach are told, the task's own list first."""
    runner = ScriptedRunner(
        answers={"two": [{"y": 5}], "act": [failure()]},
        resolutions=[Resolution(kind="retry"), Resolution(kind="cancel")],
    )

    with pytest.raises(FlowCancelled):
        await run(draft(NESTED), runner, PLACED)

    first, second = runner.faults
    assert (first.task, first.action, first.input) == ("/do/1/outer/do/0/inner/try/1/b", "act", {"y": 5})
    assert first.within == ("a", "b", "inner", "next", "first", "outer", "last")
    assert (first.flow, first.flow_hash) == ("draft:1.0.0", draft(NESTED).hash)
    assert (first.attempts, second.attempts) == (1, 2)
    assert not first.finished


@pytest.mark.parametrize(
    ("task", "given", "then"),
    [
        pytest.param("a", None, ["one", "two", "act", "two", "act", "three", "four"], id="back-in-the-list"),
        pytest.param("next", None, ["one", "two", "act", "three", "four"], id="out-of-the-try"),
        pytest.param("last", None, ["one", "two", "act", "four"], id="out-of-the-block"),
        pytest.param("first", None, ["one", "two", "act", "one", "two", "act", "three", "four"], id="to-the-start"),
        pytest.param("b", {"y": 9}, ["one", "two", "act", "act", "three", "four"], id="with-input"),
    ],
)
async def test_an_operator_may_go_to_a_task(task: str, given: JsonObject | None, then: list[str]) -> None:
    """The instance goes on at that task, with new keys for whatever is done again, and with the input given."""
    runner = ScriptedRunner(
        answers={"two": [{"y": 5}], "act": [failure(), {}]},
        resolutions=[Resolution(kind="goto", task=task, input=given)],
    )

    await run(draft(NESTED), runner, PLACED)

    assert [name for name, _ in runner.effects] == then
    assert len(set(runner.keys)) == len(runner.keys)
    asked = [arguments for name, arguments in runner.effects if name == "act"]
    assert asked[-1] == {"y": 9 if given else 5}


async def test_a_task_gone_to_has_a_new_generation() -> None:
    """The generation of the task gone to is raised: what was done under the old one is not taken for it."""
    runner = ScriptedRunner(
        answers={"two": [{"y": 5}], "act": [failure(), {}]}, resolutions=[Resolution(kind="goto", task="a")]
    )

    await run(draft(NESTED), runner, PLACED)

    assert [path for path in runner.paths if path.startswith("/do/1/do/0/try/0#")] == [
        "/do/1/do/0/try/0#0.0",
        "/do/1/do/0/try/0#1.1",
    ]


async def test_other_input_of_a_task_that_calls_nothing_is_its_input() -> None:
    """A retry of any other task takes the given object as what the task is handed."""
    compiled = draft('  - a: {set: {x: "${ input.given }"}}\n  - b: {call: after, with: {x: "${ input.x }"}}\n')
    runner = ScriptedRunner(resolutions=[Resolution(kind="retry", input={"given": 3})])

    await run(compiled, runner, PLACED)

    assert runner.effects == [("after", {"x": 3})]


async def test_a_skipped_task_still_exports() -> None:
    """What stands in for the action's result goes through `output.as` and `export.as`, as the result would."""
    compiled = draft(
        """\
  - a: {call: act, output: {as: "${ output.z }"}, export: {as: "${ {'kept': output.y} }"}}
  - b: {call: after, with: {y: "${ input.y }", kept: "${ context.kept }"}}
"""
    )
    runner = ScriptedRunner(answers={"act": [failure()]}, resolutions=[Resolution(kind="skip", output={"z": {"y": 7}})])

    await run(compiled, runner, PLACED)

    assert runner.effects == [("act", {}), ("after", {"y": 7, "kept": 7})]


async def test_a_flow_that_failed_itself_can_go_to_a_task() -> None:
    """When the flow's own output has no value, an operator may go back to a task, or give the output."""
    compiled = draft("  - a: {call: one}\n", extra='output: {as: "${ order.late }"}')
    runner = ScriptedRunner(resolutions=[Resolution(kind="goto", task="a"), Resolution(kind="skip", output=4)])

    assert await run(compiled, runner, PLACED) == 4

    assert [name for name, _ in runner.effects] == ["one", "one"]
    assert [(fault.task, fault.within) for fault in runner.faults] == [("", ("a",))] * 2
    assert len(set(runner.keys)) == 2


BUSINESS = """\
  - reserve: {call: create-reservation}
  - authorize: {call: authorize-payment}
  - plan: {call: schedule-routing}
  - route: {call: find-routes, with: {schedule: "${ input.schedule }"}}
  - allocate: {call: create-fulfillment-orders, with: {attempt: 3}}
  - fail: {call: act}
"""
ANSWERS: dict[str, list[Answer]] = {"schedule-routing": [{"schedule": 7}], "act": [failure()]}
UNDONE: list[tuple[str, JsonObject]] = [
    ("cancel-fulfillment-orders@1", {"attempt": 3}),
    ("withdraw-routing@1", {"schedule": 7}),
    ("give-back-payment@1", {"call": "100001:1@{hash}/do/1#0.0"}),
    ("release-reservation@1", {}),
]


def _locked(body: str) -> str:
    """Return *body* with its core actions locked to their majors, as publishing does."""
    for action in ("create-reservation", "authorize-payment", "schedule-routing", "find-routes"):
        body = body.replace(f"call: {action}", f"call: {action}@1")
    return body.replace("call: create-fulfillment-orders", "call: create-fulfillment-orders@1")


async def test_compensate_undoes_the_latest_first() -> None:
    """Each call that was done is undone by its compensation, told what the call was; then the instance ends."""
    compiled = draft(_locked(BUSINESS))
    runner = ScriptedRunner(answers=ANSWERS, resolutions=[Resolution(kind="compensate", exception="100001-X1")])

    with pytest.raises(FlowUndone):
        await run(compiled, runner, PLACED)

    expected = [
        (name, {key: str(value).format(hash=compiled.hash) if key == "call" else value for key, value in told.items()})
        for name, told in UNDONE
    ]
    assert runner.effects[6:-1] == expected
    name, told = runner.effects[-1]
    assert name == "record-compensation@1"
    assert isinstance(told, dict)
    assert told["exception"] == "100001-X1"
    assert [(call["action"], call["outcome"]) for call in told["calls"]] == [  # pyright: ignore
        ("create-fulfillment-orders@1", "undone"),
        ("find-routes@1", "final"),
        ("schedule-routing@1", "undone"),
        ("authorize-payment@1", "undone"),
        ("create-reservation@1", "undone"),
    ]


async def test_what_compensate_would_do_is_told_before() -> None:
    """A fault lists the calls in the order in which they would be undone, and why some are not."""
    runner = ScriptedRunner(answers=ANSWERS, resolutions=[Resolution(kind="cancel")])

    with pytest.raises(FlowCancelled):
        await run(draft(_locked(BUSINESS)), runner, PLACED)

    assert runner.faults[0].compensations == (
        Compensation(
            task="/do/4/allocate", action="create-fulfillment-orders@1", undone_by="cancel-fulfillment-orders@1"
        ),
        Compensation(task="/do/3/route", action="find-routes@1", reason="It only looks: nothing is reserved by it."),
        Compensation(task="/do/2/plan", action="schedule-routing@1", undone_by="withdraw-routing@1"),
        Compensation(task="/do/1/authorize", action="authorize-payment@1", undone_by="give-back-payment@1"),
        Compensation(task="/do/0/reserve", action="create-reservation@1", undone_by="release-reservation@1"),
    )
    assert "release-reservation@1" not in [name for name, _ in runner.effects]


async def test_a_call_to_the_outside_that_failed_is_undone_too() -> None:
    """Some of its money may have moved before it failed; a local call that failed has left nothing."""
    compiled = draft("  - a: {call: create-reservation@1}\n  - b: {call: authorize-payment@1}\n")
    runner = ScriptedRunner(answers={"authorize-payment": [failure()]}, resolutions=[Resolution(kind="compensate")])

    with pytest.raises(FlowUndone):
        await run(compiled, runner, PLACED)

    assert [name for name, _ in runner.effects[2:]] == [
        "give-back-payment@1",
        "release-reservation@1",
        "record-compensation@1",
    ]


async def test_a_compensation_that_fails_waits_and_is_tried_again_or_left() -> None:
    """It becomes a fault of its own; a retry asks under another key, a skip leaves the call as it is."""
    compiled = draft("  - a: {call: create-reservation@1}\n  - b: {call: authorize-payment@1}\n  - c: {call: act}\n")
    runner = ScriptedRunner(
        answers={"act": [failure()], "give-back-payment": [failure(code="payment.declined")]},
        resolutions=[Resolution(kind="compensate"), Resolution(kind="retry"), Resolution(kind="skip")],
    )

    with pytest.raises(FlowUndone):
        await run(compiled, runner, PLACED)

    assert [name for name, _ in runner.effects[3:]] == [
        "give-back-payment@1",
        "give-back-payment@1",
        "release-reservation@1",
        "record-compensation@1",
    ]
    assert len(set(runner.keys)) == len(runner.keys)
    assert [(fault.undoing, fault.task, fault.attempts, fault.within) for fault in runner.faults[1:]] == [
        (True, "/do/1/b", 1, ()),
        (True, "/do/1/b", 2, ()),
    ]
    assert [it["outcome"] for it in runner.effects[-1][1]["calls"]] == ["skipped", "undone"]  # pyright: ignore


@pytest.mark.parametrize("stops", [(0,), (0, 1), (0, 1, 2), (2,)])
async def test_an_exception_outlives_the_run(stops: tuple[int, ...]) -> None:
    """Carried to another run at each exception, the instance waits there under the same key, and does the same."""
    compiled = draft("  - a: {call: create-reservation@1}\n  - b: {call: authorize-payment@1}\n  - c: {call: act}\n")

    def script() -> ScriptedRunner:
        return ScriptedRunner(
            answers={"act": [failure()], "give-back-payment": [failure(), {}]},
            resolutions=[Resolution(kind="retry"), Resolution(kind="compensate"), Resolution(kind="retry")],
        )

    whole, pieces = script(), script()
    with pytest.raises(FlowUndone):
        await run(compiled, whole, PLACED)
    with pytest.raises(FlowUndone):
        await run_in_pieces(compiled, pieces, PLACED, stops)

    assert pieces.asked == whole.asked


async def test_calls_of_each_round_are_undone() -> None:
    """A call that a jump backward repeats is undone once for each time, each under its own key."""
    compiled = draft(
        """\
  - a: {call: schedule-routing@1}
  - b: {switch: [{again: {when: "${ input.schedule < 3 }", then: a}}, {on: {then: continue}}]}
  - c: {call: act}
"""
    )
    runner = ScriptedRunner(
        answers={"schedule-routing": [{"schedule": 1}, {"schedule": 2}, {"schedule": 3}], "act": [failure()]},
        resolutions=[Resolution(kind="compensate")],
    )

    with pytest.raises(FlowUndone):
        await run(compiled, runner, PLACED)

    assert [told for name, told in runner.effects if name == "withdraw-routing@1"] == [
        {"schedule": 3},
        {"schedule": 2},
        {"schedule": 1},
    ]
    assert len(set(runner.keys)) == len(runner.keys)


class Killed(BaseException):
    """The process is gone."""


class Mortal(ScriptedRunner):
    """Dies at its *dies_at*-th effect, before or after it is done; what was done answers from before for ever."""

    def __init__(self, dies_at: int = -1, *, after: bool = False) -> None:
        """Take when to die, and whether the effect is done by then."""
        super().__init__(answers=ANSWERS, resolutions=[Resolution(kind="compensate")])
        self.dies_at, self.after, self.count = dies_at, after, 0
        self.done: dict[str, Json] = {}
        self.decided: dict[str, Resolution] = {}

    async def call(self, step: Step, action: str, arguments: JsonObject, retry: Retry | None) -> Json:
        """Answer from before, or do it, and die."""
        if step.key in self.done:
            return self.done[step.key]
        self.count += 1
        dies = self.count == self.dies_at
        if dies and not self.after:
            raise Killed
        try:
            self.done[step.key] = await super().call(step, action, arguments, retry)
        finally:
            if dies:
                raise Killed
        return self.done[step.key]

    async def fault(self, step: Step, fault: Fault) -> Resolution:
        """Return what was decided before, or the next decision."""
        if step.key not in self.decided:
            self.decided[step.key] = await super().fault(step, fault)
        return self.decided[step.key]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("dies_at", range(1, 12))
async def test_a_worker_that_dies_between_any_two_effects_changes_nothing(dies_at: int, after: bool) -> None:
    """Begun anew from history, the instance asks for the same under the same keys; each effect happens once."""
    compiled = draft(_locked(BUSINESS))

    undisturbed, disturbed = Mortal(), Mortal(dies_at, after=after)
    with pytest.raises(FlowUndone):
        await run(compiled, undisturbed, PLACED)
    with pytest.raises(Killed):
        await run(compiled, disturbed, PLACED)
    with pytest.raises(FlowUndone):
        await run(compiled, disturbed, PLACED)

    def successes(runner: Mortal) -> list[tuple[str, Json]]:
        return [effect for effect in runner.effects if effect[0] != "act"]

    assert successes(disturbed) == successes(undisturbed)
    assert disturbed.done == undisturbed.done
    assert undisturbed.count == 11
