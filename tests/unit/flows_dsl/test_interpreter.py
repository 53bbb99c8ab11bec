"""What flows do, task by task, over a scripted runner."""

from json import dumps
from typing import Any

import pytest

from flows_dsl.frames import InstanceState
from flows_dsl.runner import Resolution
from flows_dsl.testing import ScriptedRunner, draft, event, run
from orderloom.domain.model import Json

PLACED = event("order.placed", {"channel": "web"})


async def test_data_flows_from_task_to_task() -> None:
    """Input, output and context are changed where the author says, in the order that the specification names."""
    compiled = draft(
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
    compiled = draft(
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
    compiled = draft(
        """\
  - a: {set: {x: 1}}
  - b: {if: "${ input.x > 1 }", call: ship, then: end}
  - c: {call: note, with: {x: "${ input.x }"}}
"""
    )
    runner = ScriptedRunner()

    await run(compiled, runner, PLACED)

    assert runner.effects == [("note", {"x": 1})]


async def test_exit_leaves_a_block_and_end_leaves_the_draft() -> None:
    """`exit` goes on after the block; `end` in a nested block ends everything with that output."""
    compiled = draft(
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
    compiled = draft(
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

    assert runner.paths == ["/do/0/do/0#0.0", "/do/0/do/0#1.0", "/do/0/do/0#2.0", "/do/2#0.0"]


async def test_a_switch_without_a_match_goes_on() -> None:
    """The first case that holds is taken, else the next task."""
    compiled = draft(
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

    await run(draft(LISTEN.format(to=to)), runner, PLACED)

    assert runner.effects == [("tell", {"got": got})]
    assert len(events) == 4 - (len(got) if isinstance(got, list) else 0)


async def test_a_timeout_can_be_caught() -> None:
    """Nothing came within the time: the specification's timeout error, with its status."""
    compiled = draft(
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
    compiled = draft(
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
    compiled = draft("  - a: {wait: PT2H}\n  - b: {call: never}\n", extra="timeout: {after: PT1H}")
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
    await run(draft(LOOP), runner, PLACED)
    found: dict[Any, str] = {}
    for it in runner.asked:
        if it.kind == "call":
            found[str(it.arguments)] = "/do" + it.key.partition("/do")[2]
    return found


async def test_in_a_listen_loop_keys_name_the_event_and_not_its_turn() -> None:
    """Whatever event comes first, its effect has the same key; what follows the loop has no event in its key."""
    forth, back = await _loop(["A", "B"]), await _loop(["B", "A"])

    assert forth == back
    assert forth == {"{'fo': 'A'}": "/do/1#0.0~eA", "{'fo': 'B'}": "/do/1#0.0~eB", "{}": "/do/3#0.0"}


async def test_caps_hold() -> None:
    """A result over 16 KB and a context over 32 KB are typed errors."""
    compiled = draft(
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
    compiled = draft("  - a: {set: {}}\n")
    state = InstanceState.start(compiled.hash, PLACED, ScriptedRunner().now())

    assert len(dumps(state.dump())) < 900
