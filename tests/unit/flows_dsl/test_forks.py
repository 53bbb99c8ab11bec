"""``fork``: branches beside each other."""

import pytest

from flows_dsl.runner import Resolution
from flows_dsl.testing import ScriptedRunner, Stuck, draft, event, failure, run

PLACED = event("order.placed")


async def test_all_branches_end_and_their_outputs_stand_in_the_order_of_the_document() -> None:
    """The slower branch is the first one of the document, and so is its output."""
    flow = draft("""
  - both:
      fork:
        branches:
          - slow: {do: [{rest: {wait: PT2H}}, {name: {set: {it: slow}}}]}
          - fast: {do: [{rest: {wait: PT1H}}, {name: {set: {it: fast}}}]}
          - now: {set: {it: now}}
""")
    runner = ScriptedRunner()

    assert await run(flow, runner, PLACED) == [{"it": "slow"}, {"it": "fast"}, {"it": "now"}]
    assert [(it.kind, it.what[11:16]) for it in runner.asked] == [("wait", "10:00"), ("wait", "11:00")]


async def test_the_first_to_end_wins_and_what_the_loser_did_is_undone() -> None:
    """The loser has reserved when the winner is done: its reservation is released, once, and it does no more."""
    flow = draft("""
  - race:
      fork:
        compete: true
        branches:
          - late:
              do:
                - reserve: {call: create-reservation@1, with: {}}
                - rest: {wait: PT2H}
                - never: {call: tell, with: {}}
          - early: {do: [{rest: {wait: PT1H}}, {name: {set: {won: true}}}]}
  - after: {call: tell, with: {won: '${ input.won }'}}
""")
    runner = ScriptedRunner()

    await run(flow, runner, PLACED)

    assert [what for what, _ in runner.effects] == ["create-reservation@1", "release-reservation@1", "tell"]
    assert runner.effects[-1] == ("tell", {"won": True})
    assert runner.keys[1] == f"{runner.keys[0]}!undo#0.0"


async def test_a_loser_that_listens_leaves_the_event_to_others() -> None:
    """The losing listen is gone: an event that comes later is taken by the listen after the fork."""
    flow = draft("""
  - race:
      fork:
        compete: true
        branches:
          - event: {listen: {to: {one: {with: {type: parcel.lost}}}}, timeout: {after: P1D}}
          - now: {set: {}}
  - then: {listen: {to: {one: {with: {type: parcel.lost}}}}, timeout: {after: P1D}}
""")
    runner = ScriptedRunner(events=[event("parcel.lost", {"n": 1}, id="100001:2", seq=2)])

    assert await run(flow, runner, PLACED) == [{"n": 1}]
    assert [it.key.partition("/do/")[2] for it in runner.asked] == ["1#0.0"]


async def test_an_error_in_a_branch_reaches_the_try_around_the_fork() -> None:
    """The other branch stops where it waits; the handler runs, and no operator is asked."""
    flow = draft("""
  - guarded:
      try:
        - both:
            fork:
              branches:
                - waits: {do: [{rest: {wait: PT5H}}, {never: {call: tell, with: {}}}]}
                - fails: {do: [{rest: {wait: PT1H}}, {ask: {call: refuse, with: {}}}]}
      catch:
        errors: {with: {code: stock.moved}}
        do:
          - repair: {call: mend, with: {why: '${ error.code }'}}
""")
    runner = ScriptedRunner(answers={"refuse": [failure()]})

    await run(flow, runner, PLACED)

    assert [what for what, _ in runner.effects] == ["refuse", "mend"]
    assert runner.effects[1] == ("mend", {"why": "stock.moved"})
    assert runner.faults == []


async def test_an_error_that_nobody_catches_waits_in_its_branch_while_the_others_go_on() -> None:
    """An operator retries one branch; the other has not waited for that."""
    flow = draft("""
  - both:
      fork:
        branches:
          - fails: {call: refuse, with: {}}
          - works: {call: tell, with: {}}
""")
    runner = ScriptedRunner(answers={"refuse": [failure(), {"ok": True}]}, resolutions=[Resolution(kind="retry")])

    assert await run(flow, runner, PLACED) == [{"ok": True}, {}]
    assert [what for what, _ in runner.effects] == ["refuse", "tell", "refuse"]
    assert [fault.task for fault in runner.faults] == ["/do/0/both/fork/branches/0/fails"]


async def test_an_operator_cannot_send_a_branch_into_another_one() -> None:
    """Of the branches only the one that failed can be gone to."""
    flow = draft("""
  - both:
      fork:
        branches:
          - fails: {do: [{ask: {call: refuse, with: {}}}, {next: {set: {}}}]}
          - works: {call: tell, with: {}}
""")
    runner = ScriptedRunner(answers={"refuse": [failure()]})

    with pytest.raises(Stuck):
        await run(flow, runner, PLACED)

    assert runner.faults[0].within == ("ask", "next", "fails")


async def test_a_timeout_around_a_fork_ends_all_branches() -> None:
    """Both branches wait longer than the fork may last: the handler runs at the timeout."""
    flow = draft("""
  - guarded:
      try:
        - both:
            timeout: {after: PT1H}
            fork:
              branches:
                - one: {wait: PT5H}
                - two: {wait: PT6H}
      catch:
        errors: {with: {status: 408}}
        do:
          - tell: {call: tell, with: {}}
""")
    runner = ScriptedRunner()

    await run(flow, runner, PLACED)

    assert [what for what, _ in runner.effects] == ["tell"]
    assert runner.clock.hour == 10


async def test_end_in_a_branch_ends_the_flow() -> None:
    """The flow's output is that of the task that ended it; nothing after the fork runs."""
    flow = draft("""
  - both:
      fork:
        branches:
          - waits: {wait: PT5H}
          - stops: {set: {over: true}, then: end}
  - never: {call: tell, with: {}}
""")
    runner = ScriptedRunner()

    assert await run(flow, runner, PLACED) == {"over": True}
    assert runner.effects == []


async def test_forks_stand_in_loops_and_in_forks() -> None:
    """Two rounds of a fork in a fork: every call is made once, each under a key of its own."""
    flow = draft("""
  - each:
      for: {in: '[0, 1]'}
      do:
        - both:
            fork:
              branches:
                - left: {fork: {branches: [{a: {call: tell, with: {}}}, {b: {call: tell, with: {}}}]}}
                - right: {call: tell, with: {}}
""")
    runner = ScriptedRunner()

    await run(flow, runner, PLACED)

    assert len(runner.keys) == len(set(runner.keys)) == 6


async def test_the_winner_of_a_race_for_one_event_takes_it() -> None:
    """Two branches listen for the same event: the one whose path comes first gets it, the other does not."""
    flow = draft("""
  - race:
      fork:
        branches:
          - one: {listen: {to: {one: {with: {type: parcel.shipped}}}}, timeout: {after: P1D}}
          - two:
              try: [{hears: {listen: {to: {one: {with: {type: parcel.shipped}}}}, timeout: {after: P1D}}}]
              catch: {do: [{late: {set: {late: true}}}]}
""")
    runner = ScriptedRunner(events=[event("parcel.shipped", {"n": 1}, id="100001:2", seq=2)])

    assert await run(flow, runner, PLACED) == [[{"n": 1}], {"late": True}]


async def test_what_a_branch_did_after_its_event_is_not_done_again_under_the_same_key() -> None:
    """Twice around a loop: the second time no event comes, and the call has the next visit, not the first one."""
    flow = draft("""
  - both:
      fork:
        branches:
          - hears:
              do:
                - listen:
                    try: [{wait: {listen: {to: {one: {with: {type: a}}}}, timeout: {after: PT1H}}}]
                    catch: {}
                - ask: {call: tell, with: {}}
  - round: {call: round, with: {}}
  - again: {switch: [{more: {when: 'input.more', then: both}}]}
""")
    runner = ScriptedRunner(events=[event("a", id="e2", seq=2)], answers={"round": [{"more": True}, {"more": False}]})

    await run(flow, runner, PLACED)

    branch = "/do/0/fork/branches/0/do/1"
    assert runner.paths == [f"{branch}#0.0~e2", "/do/1#0.0~e2", f"{branch}#1.0~e2", "/do/1#1.0~e2"]
