"""What flows do, task by task, over a scripted runner."""

from typing import Any

import pytest

from flows_dsl.compiled import CompiledFlow
from flows_dsl.compiler import compile_flow
from flows_dsl.frames import InstanceState
from flows_dsl.loader import load
from flows_dsl.problems import FlowCancelled
from flows_dsl.runner import Resolution, Retry
from flows_dsl.testing import ScriptedRunner, event, failure, run
from orderloom.domain.model import Json

PLACED = event("order.placed", {"channel": "web"})


def flow(body: str, *, language: str = "cel", extra: str = "") -> CompiledFlow:
    """Return a flow with this body; it is not checked, so that actions may have any name."""
    text = f"""\
document: {{dsl: 1.0.3, namespace: shop, name: mine, version: 1.0.0}}
evaluate: {{language: {language}}}
schedule: {{on: {{one: {{with: {{type: order.placed}}}}}}}}
{extra}
do:
{body}"""
    loaded = load(text)
    assert loaded.document is not None, loaded.findings
    assert loaded.findings == ()
    return compile_flow(loaded.document)


def paths(runner: ScriptedRunner) -> list[str]:
    """Return the keys of all effects without the instance."""
    return ["/do" + key.partition("/do")[2] for key in runner.keys]


async def test_data_flows_from_task_to_task() -> None:
    """Input, output and context are changed where the author says, in the order that the specification names."""
    compiled = flow(
        """\
  - a:
      input: {from: "${ {'type': input[0].type} }"}
      set: {seen: "${ input.type }"}
      output: {as: "${ {'out': output.seen, 'was': input.type} }"}
      export: {as: "${ {'kept': output.out} }"}
  - b:
      set: {from: "${ input.out }", kept: "${ context.kept }", name: "${ task.name }", at: "${ task.reference }"}
""",
        extra="output: {as: \"${ {'end': output} }\"}",
    )

    result = await run(compiled, ScriptedRunner(), PLACED)

    seen = {"from": "order.placed", "kept": "order.placed", "name": "b", "at": "/do/1/b"}
    assert result == {"end": seen}


async def test_jq_is_the_default_language() -> None:
    """In jq the dot is the task's input, and variables have a dollar."""
    compiled = flow(
        """\
  - a:
      set: {type: "${ .[0].type }", id: "${ $workflow.input[0].id }"}
  - b:
      if: ${ .type == "order.placed" }
      set: "${ {n: ($order.units.open + 1), id: .id} }"
      output: {as: "${ . + {m: $input.type} }"}
""",
        language="jq",
    )

    result = await run(compiled, ScriptedRunner(header={"units": {"open": 1}}), PLACED)

    assert result == {"id": "100001:1", "m": "order.placed", "n": 2}


async def test_a_skipped_task_hands_its_input_on_and_leads_nowhere() -> None:
    """`if` that does not hold: no effect, the output is the input, and `then` is not followed."""
    compiled = flow(
        """\
  - a: {set: {x: 1}}
  - b: {if: "${ input.x > 1 }", call: ship, then: end}
  - c: {call: note, with: {x: "${ input.x }"}}
"""
    )
    runner = ScriptedRunner()

    await run(compiled, runner, PLACED)

    assert runner.effects == [("note", {"x": 1})]


async def test_exit_leaves_a_block_and_end_leaves_the_flow() -> None:
    """`exit` goes on after the block; `end` in a nested block ends everything with that output."""
    compiled = flow(
        """\
  - block:
      do:
        - a: {set: {x: 1}, then: exit}
        - b: {call: never}
  - inner:
      do:
        - deeper:
            try:
              - c: {set: {x: "${ input.x + 1 }"}, then: end}
              - d: {call: never}
            catch: {do: [{e: {call: never}}]}
  - f: {call: never}
"""
    )
    runner = ScriptedRunner()

    assert await run(compiled, runner, PLACED) == {"x": 2}
    assert runner.effects == []


async def test_jumps_backward_count_visits() -> None:
    """A task that a jump repeats has a new key each time; a task inside a block too."""
    compiled = flow(
        """\
  - again:
      do:
        - ask: {call: ask}
  - more:
      switch:
        - yes: {when: "${ input.more }", then: again}
  - done: {call: done}
"""
    )
    runner = ScriptedRunner(answers={"ask": [{"more": True}, {"more": True}, {"more": False}]})

    await run(compiled, runner, PLACED)

    assert paths(runner) == ["/do/0/do/0#0.0", "/do/0/do/0#1.0", "/do/0/do/0#2.0", "/do/2#0.0"]


async def test_a_switch_without_a_match_goes_on() -> None:
    """The first case that holds is taken, else the next task."""
    compiled = flow(
        """\
  - choose:
      switch:
        - a: {when: "${ input[0].type == 'x' }", then: c}
        - b: {when: "${ input[0].type == 'y' }", then: c}
  - n: {call: next, then: end}
  - c: {call: never}
"""
    )
    runner = ScriptedRunner()

    await run(compiled, runner, PLACED)

    assert runner.effects == [("next", {})]


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

    await run(flow(CATCH), runner, PLACED)

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
        await run(flow(CATCH), runner, PLACED)

    assert cancelled.value.problem.code == code
    assert [(it.kind, it.what) for it in runner.asked] == [("call", "act"), ("fault", code)]
    assert runner.asked[-1].key.endswith("/do/0/try/0#0.0")


async def test_an_operator_may_retry_with_other_arguments() -> None:
    """A retry asks under a new generation, with the arguments given; the flow then goes on as if nothing was."""
    compiled = flow('  - a: {call: act, with: {x: "${ order.x }"}}\n  - b: {call: after, with: {y: "${ input.y }"}}\n')
    runner = ScriptedRunner(
        answers={"act": [failure(), failure(), {"y": 5}]},
        header={"x": 1},
        resolutions=[Resolution(kind="retry"), Resolution(kind="retry", input={"x": 9})],
    )

    await run(compiled, runner, PLACED)

    assert runner.effects == [("act", {"x": 1}), ("act", {"x": 1}), ("act", {"x": 9}), ("after", {"y": 5})]
    assert paths(runner) == ["/do/0#0.0", "/do/0#0.1", "/do/0#0.2", "/do/1#0.0"]


async def test_an_operator_may_skip_with_an_output() -> None:
    """Skip gives the task an output and follows its `then`."""
    compiled = flow(
        '  - a: {call: act, output: {as: "${ output.z }"}, then: c}\n  - b: {call: never}\n'
        '  - c: {call: after, with: {y: "${ input.y }"}}\n'
    )
    runner = ScriptedRunner(answers={"act": [failure()]}, resolutions=[Resolution(kind="skip", output={"y": 7})])

    await run(compiled, runner, PLACED)

    assert runner.effects == [("act", {}), ("after", {"y": 7})]


async def test_a_retry_after_the_work_was_done_does_not_do_it_again() -> None:
    """When only `output.as` failed, a retry evaluates that again and asks for no action."""
    compiled = flow(
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
    compiled = flow('  - a: {if: "${ order.go }", call: act}\n')
    runner = ScriptedRunner(resolutions=[Resolution(kind="retry")])

    class Late(ScriptedRunner):
        async def fault(self, *arguments: Any) -> Resolution:
            self.header = {"go": True}
            return await super().fault(*arguments)

    runner = Late(resolutions=[Resolution(kind="retry")])
    await run(compiled, runner, PLACED)

    assert paths(runner) == ["/do/0#0.0"]


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
    compiled = flow(
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
    """An expression without a value can be caught by the specification's type; an error in a handler is not caught by it."""
    compiled = flow(
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
    compiled = flow(
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
    compiled = flow(
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
        extra="use: {retries: {again: {delay: PT10S, backoff: {linear: {increment: PT5S}}, limit: {attempt: {count: 3}}}}}",
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
    assert paths(runner)[-3:] == ["/do/0/try/0#3.0", "/do/0/try/1#3.0", "/do/0/catch/do/0#0.0"]


LISTEN = """\
  - hear:
      listen:
        to:
          {to}
      timeout: {{after: PT1H}}
  - tell: {{call: tell, with: {{got: "${{ input }}"}}}}
"""


@pytest.mark.parametrize(
    ("to", "got"),
    [
        pytest.param("one: {with: {type: b}}", [{"n": 2}], id="one"),
        pytest.param("any: [{with: {type: c}}, {with: {type: b}}]", [{"n": 2}], id="any"),
        pytest.param("all: [{with: {type: c}}, {with: {type: b}}]", [{"n": 3}, {"n": 2}], id="all"),
        pytest.param("one: {with: {type: b, data: '${ data.n > 2 }'}}", [{"n": 4}], id="condition"),
        pytest.param("one: {with: {type: b, data: {n: '${ order.n }'}}}", [{"n": 4}], id="data"),
        pytest.param("one: {with: {type: b, id: e4}}", [{"n": 4}], id="attribute"),
        pytest.param("one: {with: {type: b, data: '${ data.nope > 2 }'}}", None, id="no-value"),
    ],
)
async def test_listen_takes_the_first_event_that_fits(to: str, got: Json) -> None:
    """One, any and all take events in their order; a filter compares attributes and data; nothing else is consumed."""
    events = [event(type, {"n": n}, id=f"e{n}") for n, type in enumerate(["a", "b", "c", "b"], 1)]
    runner = ScriptedRunner(events=events, header={"n": 4}, resolutions=[Resolution(kind="skip")])

    await run(flow(LISTEN.format(to=to)), runner, PLACED)

    assert runner.effects == [("tell", {"got": got})]
    assert len(events) == 4 - (len(got) if isinstance(got, list) else 0)


async def test_a_timeout_can_be_caught() -> None:
    """Nothing came within the time: the specification's timeout error, with its status."""
    compiled = flow(
        """\
  - it:
      try:
        - hear: {listen: {to: {one: {with: {type: x}}}}, timeout: {after: {minutes: 5}}}
      catch:
        errors: {with: {type: "https://serverlessworkflow.io/spec/1.0.0/errors/timeout", status: 408}}
        do:
          - tell: {call: tell, with: {at: "${ error.instance }"}}
"""
    )
    runner = ScriptedRunner()

    await run(compiled, runner, PLACED)

    assert runner.effects == [("tell", {"at": "/do/0/it/try/0/hear"})]
    assert runner.clock.isoformat() == "2026-03-02T09:05:00+00:00"


async def test_a_block_has_one_timeout_for_all_in_it() -> None:
    """The time of a block ends a wait inside it, and the block fails, not the wait."""
    compiled = flow(
        """\
  - it:
      try:
        - block:
            do:
              - a: {wait: PT40M}
              - b: {wait: PT40M}
              - c: {call: never}
            timeout: {after: PT1H}
      catch:
        do:
          - tell: {call: tell, with: {at: "${ error.instance }"}}
"""
    )
    runner = ScriptedRunner()

    await run(compiled, runner, PLACED)

    assert runner.effects == [("tell", {"at": "/do/0/it/try/0/block"})]
    assert runner.clock.isoformat() == "2026-03-02T10:00:00+00:00"


async def test_a_flow_has_a_timeout() -> None:
    """The time of the whole flow is over: a fault outside any task; an operator who skips ends the flow."""
    compiled = flow("  - a: {wait: PT2H}\n  - b: {call: never}\n", extra="timeout: {after: PT1H}")
    runner = ScriptedRunner(resolutions=[Resolution(kind="skip", output="over")])

    assert await run(compiled, runner, PLACED) == "over"
    assert runner.effects == []


LOOP = """\
  - hear:
      listen: {to: {one: {with: {type: shipped}}}}
      timeout: {after: P1D}
  - act: {call: act, with: {fo: "${ input[0].fo }"}}
  - more:
      switch:
        - yes: {when: "${ input.more }", then: hear}
  - done: {call: done}
"""


async def _loop(order: list[str]) -> dict[Any, str]:
    answers: list[Any] = [{"more": at < len(order) - 1} for at in range(len(order))]
    runner = ScriptedRunner(
        events=[event("shipped", {"fo": it}, id=f"e{it}") for it in order], answers={"act": answers}
    )
    await run(flow(LOOP), runner, PLACED)
    found: dict[Any, str] = {}
    for it in runner.asked:
        if it.kind == "call":
            found[str(it.arguments)] = "/do" + it.key.partition("/do")[2]
    return found


async def test_in_a_listen_loop_keys_name_the_event_and_not_its_turn() -> None:
    """Whatever event comes first, the effect for each has the same key; what follows the loop has no event in its key."""
    forth, back = await _loop(["A", "B"]), await _loop(["B", "A"])

    assert forth == back
    assert forth == {"{'fo': 'A'}": "/do/1#0.0~eA", "{'fo': 'B'}": "/do/1#0.0~eB", "{}": "/do/3#0.0"}


async def test_caps_hold() -> None:
    """A result over 16 KB and a context over 32 KB are typed errors."""
    compiled = flow(
        """\
  - it:
      try:
        - a: {call: act}
      catch:
        do:
          - tell: {call: tell, with: {code: "${ error.code }", bytes: "${ error.facts.bytes }"}}
"""
    )
    runner = ScriptedRunner(answers={"act": [{"x": "x" * 17_000}]})

    await run(compiled, runner, PLACED)

    assert runner.effects[-1] == ("tell", {"code": "flow.too_large", "bytes": 17_008})


async def test_the_state_is_small() -> None:
    """A started instance carries well under a kilobyte."""
    compiled = flow("  - a: {set: {}}\n")
    state = InstanceState.start(compiled.hash, PLACED, ScriptedRunner().now())

    assert len(state.model_dump_json()) < 900
