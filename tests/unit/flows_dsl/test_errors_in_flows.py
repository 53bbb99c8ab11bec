"""Errors in flows: caught, tried again, or left to an operator."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from flows_dsl.parts import RetryPolicy
from flows_dsl.problems import FlowCancelled
from flows_dsl.retries import jitter_of, retry_loop
from flows_dsl.runner import Fault, Resolution, Retry, Step
from flows_dsl.testing import START, ScriptedRunner, draft, event, failure, run

PLACED = event("order.placed", {"channel": "web"})


CATCH = """\
  - it:
      try:
        - a: {call: act}
        - b: {call: other}
      catch:
        errors: {with: {status: 409}}
        as: problem
        when: ${ problem.code != "hopeless" }
        do:
          - mend: {call: mend, with: {code: "${ problem.code }", at: "${ problem.instance }"}}
  - after: {call: after}
"""


async def test_an_error_that_fits_is_caught() -> None:
    """The handler sees the error as the variable it names; what followed in the try is not done."""
    runner = ScriptedRunner(answers={"act": [failure(code="stock.moved")]})

    await run(draft(CATCH), runner, PLACED)

    assert runner.effects == [
        ("act", {}),
        ("mend", {"code": "stock.moved", "at": "/do/0/it/try/0/a"}),
        ("after", {}),
    ]


@pytest.mark.parametrize(
    ("code", "status"), [pytest.param("stock.moved", 500, id="filter"), pytest.param("hopeless", 409, id="when")]
)
async def test_an_error_that_does_not_fit_becomes_a_fault(code: str, status: int) -> None:
    """What nobody catches waits at the failing task for an operator, who may end the flow."""
    runner = ScriptedRunner(
        answers={"act": [failure(code=code, status=status)]}, resolutions=[Resolution(kind="cancel")]
    )

    with pytest.raises(FlowCancelled) as cancelled:
        await run(draft(CATCH), runner, PLACED)

    assert cancelled.value.problem.code == code
    assert [(it.kind, it.what) for it in runner.asked] == [("call", "act"), ("fault", code)]
    assert runner.asked[-1].key.endswith("/do/0/try/0#0.0")


async def test_an_operator_may_retry_with_other_arguments() -> None:
    """A retry asks under a new generation, with the arguments given; the flow then goes on as if nothing was."""
    compiled = draft('  - a: {call: act, with: {x: "${ order.x }"}}\n  - b: {call: after, with: {y: "${ input.y }"}}\n')
    runner = ScriptedRunner(
        answers={"act": [failure(), failure(), {"y": 5}]},
        header={"x": 1},
        resolutions=[Resolution(kind="retry"), Resolution(kind="retry", input={"x": 9})],
    )

    await run(compiled, runner, PLACED)

    assert runner.effects == [("act", {"x": 1}), ("act", {"x": 1}), ("act", {"x": 9}), ("after", {"y": 5})]
    assert runner.paths == ["/do/0#0.0", "/do/0#0.1", "/do/0#0.2", "/do/1#0.0"]


async def test_an_operator_may_skip_with_an_output() -> None:
    """What the operator gives stands in for what the action returns: `output.as` and `then` follow."""
    compiled = draft(
        '  - a: {call: act, output: {as: "${ output.z }"}, then: c}\n  - b: {call: never}\n'
        '  - c: {call: after, with: {y: "${ input.y }"}}\n'
    )
    runner = ScriptedRunner(
        answers={"act": [failure()]},
        resolutions=[Resolution(kind="skip", output={"z": {"y": 7}})],
    )

    await run(compiled, runner, PLACED)

    assert runner.effects == [("act", {}), ("after", {"y": 7})]


async def test_a_retry_after_the_work_was_done_does_not_do_it_again() -> None:
    """When only `output.as` failed, a retry evaluates that again and asks for no action."""
    compiled = draft(
        '  - a: {call: act, output: {as: "${ order.late }"}}\n  - b: {call: after, with: {y: "${ input }"}}\n'
    )
    runner = ScriptedRunner(resolutions=[Resolution(kind="retry"), Resolution(kind="skip", output=4)])

    await run(compiled, runner, PLACED)

    assert [(it.kind, it.what) for it in runner.asked] == [
        ("call", "act"),
        ("fault", "expression"),
        ("fault", "expression"),
        ("call", "after"),
    ]
    assert len({it.key for it in runner.asked if it.kind == "fault"}) == 2


async def test_a_retry_after_a_failed_condition_evaluates_it_again() -> None:
    """An `if` without a value is a fault; after a retry it still decides, and the visit is counted once."""
    compiled = draft('  - a: {if: "${ order.go }", call: act}\n')
    runner = ScriptedRunner(resolutions=[Resolution(kind="retry")])

    class Late(ScriptedRunner):
        async def fault(self, step: Step, fault: Fault) -> Resolution:
            self.header = {"go": True}
            return await super().fault(step, fault)

    runner = Late(resolutions=[Resolution(kind="retry")])
    await run(compiled, runner, PLACED)

    assert runner.paths == ["/do/0#0.0"]


@pytest.mark.parametrize(
    ("error", "type", "status"),
    [
        pytest.param("{type: too.big, status: 400, detail: 'no'}", "urn:orderloom:too.big", 400, id="ours"),
        pytest.param(
            "{type: 'https://shop.example/errors/x', status: 418}", "https://shop.example/errors/x", 418, id="uri"
        ),
        pytest.param("declared", "urn:orderloom:gone", 410, id="by-name"),
    ],
)
async def test_raise_makes_problem_details(error: str, type: str, status: int) -> None:
    """A type that is no URI becomes one of ours; a catch by type sees it."""
    compiled = draft(
        f"""\
  - it:
      try:
        - a: {{raise: {{error: {error}}}}}
      catch:
        errors: {{with: {{type: "{type}"}}}}
        do:
          - tell: {{call: tell, with: {{status: "${{ error.status }}", type: "${{ error.type }}"}}}}
""",
        extra="use: {errors: {declared: {type: gone, status: 410}}}",
    )
    runner = ScriptedRunner()

    await run(compiled, runner, PLACED)

    assert runner.effects == [("tell", {"status": status, "type": type})]


async def test_errors_of_expressions_are_the_specifications() -> None:
    """An expression without a value is an error of the specification; a handler does not catch its own."""
    compiled = draft(
        """\
  - it:
      try:
        - a: {set: {x: "${ input.nope }"}}
      catch:
        errors: {with: {type: "https://serverlessworkflow.io/spec/1.0.0/errors/expression", status: 400}}
        do:
          - tell: {call: tell}
          - again: {raise: {error: {type: "https://serverlessworkflow.io/spec/1.0.0/errors/expression", status: 400}}}
"""
    )
    runner = ScriptedRunner(resolutions=[Resolution(kind="skip")])

    await run(compiled, runner, PLACED)

    assert [(it.kind, it.what) for it in runner.asked] == [("call", "tell"), ("fault", "expression")]


async def test_a_call_alone_is_retried_by_the_runner() -> None:
    """A catch that takes every error of one call hands the attempts to the runner."""
    compiled = draft(
        """\
  - it:
      try:
        - a: {call: act}
      catch:
        retry: {delay: PT2S, backoff: {exponential: {maxDelay: PT20S}}, limit: {attempt: {count: 4}}}
        do:
          - tell: {call: tell}
"""
    )
    runner = ScriptedRunner(answers={"act": [failure()]})

    await run(compiled, runner, PLACED)

    assert [it.retry for it in runner.asked] == [Retry(attempts=5, delay=2.0, factor=2.0, limit=20.0), None]
    assert [it.what for it in runner.asked] == ["act", "tell"]


async def test_other_tries_are_retried_with_waits() -> None:
    """With a filter or several tasks the flow itself waits and tries again, with new keys, until the limit."""
    compiled = draft(
        """\
  - it:
      try:
        - a: {call: act}
        - b: {call: other}
      catch:
        errors: {with: {status: 409}}
        retry: again
        do:
          - tell: {call: tell}
""",
        extra="""\
use:
  retries:
    again: {delay: PT10S, backoff: {linear: {increment: PT5S}}, limit: {attempt: {count: 3}}}
""",
    )
    runner = ScriptedRunner(answers={"other": [failure()]})

    await run(compiled, runner, PLACED)

    assert [(it.kind, it.what) for it in runner.asked if it.kind != "call"] == [
        ("wait", "2026-03-02T09:00:10+00:00"),
        ("wait", "2026-03-02T09:00:25+00:00"),
        ("wait", "2026-03-02T09:00:45+00:00"),
    ]
    assert [it.what for it in runner.asked if it.kind == "call"] == ["act", "other"] * 4 + ["tell"]
    assert len(set(runner.keys)) == 9
    assert runner.paths[-3:] == ["/do/0/try/0#3.0", "/do/0/try/1#3.0", "/do/0/catch/do/0#0.0"]


JITTER = """\
  - it:
      try:
        - a: {call: act}
      catch:
        retry:
          delay: PT10S
          backoff: {constant: {}}
          jitter: {from: PT0S, to: PT20S}
          limit: {attempt: {count: 3}}
"""


async def _waits(order: str) -> list[str]:
    runner = ScriptedRunner(answers={"act": [failure(), failure(), failure(), {}]})
    await run(draft(JITTER), runner, event("order.placed", id=order))
    return [it.what for it in runner.asked if it.kind == "wait"]


async def test_jitter_spreads_retries_and_is_the_same_again() -> None:
    """Each delay grows by up to the jitter; orders differ, while one order waits as long in every replay."""
    first, second = await _waits("100001:1"), await _waits("100002:1")

    assert first == await _waits("100001:1")
    assert first != second
    for waits in (first, second):
        ends = [START, *map(datetime.fromisoformat, waits)]
        assert len(ends) == 4
        assert all(
            timedelta(seconds=10) <= later - earlier <= timedelta(seconds=30) for earlier, later in pairwise(ends)
        )


def test_jitter_reaches_both_of_its_ends() -> None:
    """Drawn over many keys, every millisecond from the least to the most comes up, and none beyond."""
    policy = RetryPolicy.model_validate({"jitter": {"from": "PT0.002S", "to": "PT0.005S"}})
    loop = retry_loop(policy, "cel", ())

    assert {jitter_of(loop, str(key)) // timedelta(milliseconds=1) for key in range(200)} == {2, 3, 4, 5}
