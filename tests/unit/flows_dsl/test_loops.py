"""``for``: the same tasks for each item."""

import pytest

from flows_dsl.testing import ScriptedRunner, Stuck, draft, event, run

PLACED = event("order.placed")


async def test_each_round_sees_its_item_and_the_output_of_the_round_before() -> None:
    """Three items: the task sees item and index under the names given, and sums up what came before."""
    flow = draft("""
  - sum:
      for: {each: number, in: '[1, 2, 3]', at: position}
      do:
        - add: {set: '${ {"total": (has(input.total) ? input.total : 0) + number * 10 + position} }'}
      input: {from: '${ {} }'}
""")
    runner = ScriptedRunner()

    assert await run(flow, runner, PLACED) == {"total": 63}
    assert runner.asked == []


async def test_each_round_has_keys_of_its_own() -> None:
    """The key of a call in a loop holds the index of its round, in nested loops of both."""
    flow = draft("""
  - outer:
      for: {in: '["a", "b"]'}
      do:
        - inner:
            for: {each: digit, in: '[1, 2]', at: second}
            do:
              - ask: {call: tell, with: {what: '${ item + string(digit) }'}}
""")
    runner = ScriptedRunner()

    await run(flow, runner, PLACED)

    assert runner.effects == [("tell", {"what": what}) for what in ("a1", "a2", "b1", "b2")]
    assert runner.paths == [f"/do/0/do/0/do/0[{one}][{two}]#0.0" for one in (0, 1) for two in (0, 1)]


async def test_a_jump_backward_inside_a_round_is_counted_in_that_round() -> None:
    """Twice around in each of two rounds: visits 0 and 1 each time, so a replay finds the same keys."""
    flow = draft("""
  - each:
      for: {in: '[0, 1]'}
      do:
        - begin: {set: {count: 0}}
        - ask: {call: tell, with: {}, output: {as: '${ {"count": input.count + 1} }'}}
        - more: {switch: [{again: {when: '${ input.count < 2 }', then: ask}}]}
""")
    runner = ScriptedRunner()

    assert await run(flow, runner, PLACED) == {"count": 2}
    assert runner.paths == [f"/do/0/do/1[{at}]#{visit}.0" for at in (0, 1) for visit in (0, 1)]


async def test_while_ends_the_loop_before_a_round() -> None:
    """The condition sees the item and the output of the round before; nothing runs once it does not hold."""
    flow = draft("""
  - each:
      for: {in: '[1, 2, 3, 4]'}
      while: item < 3
      do:
        - ask: {call: tell, with: {number: '${ item }'}}
""")
    runner = ScriptedRunner()

    await run(flow, runner, PLACED)

    assert [arguments for _, arguments in runner.effects] == [{"number": 1}, {"number": 2}]


async def test_no_item_no_round() -> None:
    """Of an empty list the output is the task's input, and nothing was done."""
    flow = draft("""
  - each:
      for: {in: '[]'}
      input: {from: '${ {"kept": true} }'}
      do:
        - ask: {call: tell, with: {}}
""")
    runner = ScriptedRunner()

    assert await run(flow, runner, PLACED) == {"kept": True}
    assert runner.effects == []


@pytest.mark.parametrize(
    ("items", "code"), [('{"a": 1}', "expression"), ('"text"', "expression"), ("input.many", "flow.too_many")]
)
async def test_what_cannot_be_gone_through_is_an_error(items: str, code: str) -> None:
    """Anything but a list, or a list over the cap, faults the task before the first round."""
    flow = draft(f"""
  - many: {{call: count, with: {{}}}}
  - each:
      for: {{in: '{items}'}}
      do:
        - ask: {{call: tell, with: {{}}}}
""")
    runner = ScriptedRunner(answers={"count": [{"many": [0] * 1001}]})

    with pytest.raises(Stuck):
        await run(flow, runner, PLACED)

    assert [fault.problem.code for fault in runner.faults] == [code]
    assert [what for what, _ in runner.effects] == ["count"]


async def test_jq_goes_through_lists_too() -> None:
    """The same in jq: the item is a variable, and ``.`` is the output of the round before."""
    flow = draft(
        """
  - each:
      for: {each: number, in: '[1, 2, 3]'}
      input: {from: '${ {sum: 0} }'}
      do:
        - add: {set: '${ {sum: (.sum + $number)} }'}
""",
        language="jq",
    )

    assert await run(flow, ScriptedRunner(), PLACED) == {"sum": 6}
