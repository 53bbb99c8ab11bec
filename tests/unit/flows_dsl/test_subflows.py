"""``run.workflow``: a flow inside a task of another one."""

import pytest

from flows_dsl.problems import FlowUndone
from flows_dsl.runner import Resolution
from flows_dsl.testing import ScriptedRunner, Stuck, draft, drafted, event, failure, run

PLACED = event("order.placed")

INNER = """
  - ask: {call: tell, with: {what: '${ input.what }'}}
  - keep: {set: {said: '${ workflow.input.what }', seen: '${ context }'}, export: {as: '${ {"inner": true} }'}}
"""


async def test_a_flow_runs_inside_a_task_with_a_context_of_its_own() -> None:
    """Its input is what the task gives, its output the task's; neither sees the other's context."""
    flow = draft(
        """
  - mine: {set: {}, export: {as: '${ {"outer": true} }'}}
  - inside: {run: {workflow: {namespace: shop, name: inner, version: 1.0.0, input: {what: hello}}}}
  - after: {set: {got: '${ input }', context: '${ context }'}}
""",
        flows=[drafted(INNER, name="inner")],
    )
    runner = ScriptedRunner()

    result = await run(flow, runner, PLACED)

    assert result == {"got": {"said": "hello", "seen": {}}, "context": {"outer": True}}
    assert runner.effects == [("tell", {"what": "hello"})]
    assert runner.keys == [f"100001:1@{flow.hash}/do/1#0.0>/do/0#0.0"]


async def test_without_an_input_it_takes_that_of_the_task() -> None:
    """The input of the task is handed on."""
    flow = draft(
        """
  - give: {set: {what: mine}}
  - inside: {run: {workflow: {namespace: shop, name: inner}}}
""",
        flows=[drafted(INNER, name="inner")],
    )
    runner = ScriptedRunner()

    await run(flow, runner, PLACED)

    assert runner.effects == [("tell", {"what": "mine"})]


async def test_an_error_inside_reaches_the_try_around_the_task() -> None:
    """The handler of the outer flow runs; nobody is asked, and the inner flow does no more."""
    flow = draft(
        """
  - guarded:
      try: [{inside: {run: {workflow: {namespace: shop, name: inner, version: 1.0.0, input: {what: x}}}}}]
      catch: {errors: {with: {code: stock.moved}}, do: [{mend: {call: mend, with: {}}}]}
""",
        flows=[drafted(INNER, name="inner")],
    )
    runner = ScriptedRunner(answers={"tell": [failure()]})

    await run(flow, runner, PLACED)

    assert [what for what, _ in runner.effects] == ["tell", "mend"]
    assert runner.faults == []


async def test_an_error_that_nobody_catches_waits_inside() -> None:
    """An operator retries the inner task alone; the outer task has not begun anew."""
    flow = draft(
        "  - inside: {run: {workflow: {namespace: shop, name: inner, version: 1.0.0, input: {what: x}}}}\n",
        flows=[drafted(INNER, name="inner")],
    )
    runner = ScriptedRunner(answers={"tell": [failure(), {}]}, resolutions=[Resolution(kind="retry")])

    assert await run(flow, runner, PLACED) == {"said": "x", "seen": {}}
    assert runner.paths == ["/do/0#0.0>/do/0#0.0", "/do/0#0.0>/do/0#0.1"]


async def test_the_end_inside_is_not_the_end_outside() -> None:
    """``end`` ends the flow that says it."""
    flow = draft(
        """
  - inside: {run: {workflow: {namespace: shop, name: ends, version: 1.0.0}}}
  - after: {call: tell, with: {got: '${ input.n }'}}
""",
        flows=[drafted("  - a: {set: {n: 1}, then: end}\n  - b: {call: never, with: {}}\n", name="ends")],
    )
    runner = ScriptedRunner()

    await run(flow, runner, PLACED)

    assert runner.effects == [("tell", {"got": 1})]


async def test_one_that_is_not_waited_for_ends_before_the_instance_does() -> None:
    """The task after it runs at once, with the input of the task; the instance ends with the inner flow, an hour on."""
    flow = draft(
        """
  - give: {set: {n: 7}}
  - inside: {run: {await: false, workflow: {namespace: shop, name: slow, version: 1.0.0}}}
  - after: {call: tell, with: {got: '${ input.n }'}}
""",
        flows=[drafted("  - rest: {wait: PT1H}\n  - ask: {call: late, with: {}}\n", name="slow")],
    )
    runner = ScriptedRunner()

    await run(flow, runner, PLACED)

    assert [what for what, _ in runner.effects] == ["tell", "late"]
    assert runner.clock.hour == 10


async def test_what_was_done_inside_is_undone_with_the_rest() -> None:
    """An operator compensates at the outer flow: the reservation that the inner flow made is released."""
    flow = draft(
        """
  - inside: {run: {workflow: {namespace: shop, name: reserves, version: 1.0.0}}}
  - fails: {call: refuse, with: {}}
""",
        flows=[drafted("  - it: {call: create-reservation@1, with: {}}\n", name="reserves")],
    )
    runner = ScriptedRunner(
        answers={"refuse": [failure()]}, resolutions=[Resolution(kind="compensate", exception="E1")]
    )

    with pytest.raises(FlowUndone):
        await run(flow, runner, PLACED)

    done = [what for what, _ in runner.effects]
    assert done == ["create-reservation@1", "refuse", "release-reservation@1", "record-compensation@1"]


async def test_a_flow_that_times_out_around_ends_what_is_inside() -> None:
    """The timeout of the task ends the flow inside it."""
    flow = draft(
        """
  - guarded:
      try:
        - inside: {run: {workflow: {namespace: shop, name: slow, version: 1.0.0}}, timeout: {after: PT10M}}
      catch: {errors: {with: {status: 408}}, do: [{mend: {call: mend, with: {}}}]}
""",
        flows=[drafted("  - rest: {wait: PT1H}\n  - ask: {call: late, with: {}}\n", name="slow")],
    )
    runner = ScriptedRunner()

    await run(flow, runner, PLACED)

    assert [what for what, _ in runner.effects] == ["mend"]
    assert runner.clock.minute == 10


async def test_stuck_inside_is_stuck() -> None:
    """The fault of a task inside names the task."""
    flow = draft(
        "  - inside: {run: {workflow: {namespace: shop, name: inner, version: 1.0.0, input: {what: x}}}}\n",
        flows=[drafted(INNER, name="inner")],
    )
    runner = ScriptedRunner(answers={"tell": [failure()]})

    with pytest.raises(Stuck):
        await run(flow, runner, PLACED)

    assert [(fault.task, fault.action) for fault in runner.faults] == [("/do/0/ask", "tell")]
