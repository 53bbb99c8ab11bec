"""Moving instances between versions of their flow: places by name, and what is refused."""

import asyncio
from datetime import timedelta

import pytest

from flows_dsl import relocating
from flows_dsl.addresses import Addresses, shown
from flows_dsl.compiled import CompiledFlow
from flows_dsl.frames import Done, InstanceState
from flows_dsl.interpreter import FlowInstance
from flows_dsl.moving import MoveRefused, move, moved_task
from flows_dsl.testing import START, Interrupted, ScriptedRunner, draft, drafted, event
from orderloom.contracts.moving import Whereabouts

OLD = """\
  - first: {call: a}
  - careful:
      try:
        - begin: {call: b}
        - hear: {listen: {to: {one: {with: {type: x.y}}}}, timeout: {after: PT1H}}
        - act: {call: c}
      catch:
        do:
          - sorry: {call: d}
  - last: {call: e}
"""
NEW = """\
  - new: {call: n}
  - last: {call: e2}
  - first: {call: a}
  - careful:
      try:
        - other: {call: o}
        - hear: {listen: {to: {one: {with: {type: x.y}}}}, timeout: {after: PT1H}}
        - more: {call: m}
        - act: {call: c}
      catch:
        do:
          - sorry: {call: d}
"""


def waiting(flow: CompiledFlow, runner: ScriptedRunner) -> InstanceState:
    """Return the state of an instance at the first point where it waits."""
    state = InstanceState.start(flow.hash, event("order.placed"), START)
    runner.stop_at = 0
    instance = FlowInstance(flow, state, runner)
    with pytest.raises(Interrupted):
        asyncio.run(_run(instance))
    return instance.state


async def _run(instance: FlowInstance) -> None:
    await instance.run()


def whereabouts(flow: CompiledFlow, state: InstanceState | None, moves: int = 0) -> Whereabouts:
    dumped = None if state is None else state.dump()
    return Whereabouts(flow=flow.hash, event=event("order.placed"), state=dumped, consumed=[3], moves=moves)


def moved(old: CompiledFlow, new: CompiledFlow, state: InstanceState | None, moves: int = 0) -> Whereabouts:
    [one] = move([whereabouts(old, state, moves)], {old.hash: old, new.hash: new}, [new.hash])
    return one


def test_an_instance_goes_on_where_it_waits() -> None:
    """After the task that it waits at, the new flow's tasks follow; what was done is not done again."""
    old, new = draft(OLD), draft(NEW)
    runner = ScriptedRunner()
    one = moved(old, new, waiting(old, runner))
    assert one.state is not None
    done = runner.effects

    after = ScriptedRunner(events=[event("x.y", seq=2)])
    state = InstanceState.load(one.state)
    asyncio.run(_run(FlowInstance(new, state, after)))

    assert [what for what, _ in done] == ["a", "b"]
    assert [what for what, _ in after.effects] == ["m", "c"]
    assert after.keys[0] == f"{one.instance}/do/3/try/2#0.0"
    assert one.instance == f"100001:1@{new.hash}^1"
    assert one.consumed == [3]


def test_an_instance_is_told_by_the_names_around_it() -> None:
    """People see the path of names, and the versions of before and after."""
    old, new = draft(OLD), draft(NEW)
    one = whereabouts(old, waiting(old, ScriptedRunner()))

    told = moved_task(one, {old.hash: old, new.hash: new}, [new.hash])

    assert (told.flow, told.to, told.task) == ("draft:1.0.0", "draft:1.0.0", "careful/hear")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("- hear:", "- listen-to:", id="renamed"),
        pytest.param("- careful:", "- careless:", id="a task around it renamed"),
        pytest.param("{listen: {to: {one: {with: {type: x.y}}}}, timeout: {after: PT1H}}", "{wait: PT1H}", id="kind"),
    ],
)
def test_an_instance_without_a_place_is_refused(before: str, after: str) -> None:
    """The task that it stands at, and those around it, must be there and of the same kind."""
    old, new = draft(OLD), draft(NEW.replace(before, after))

    with pytest.raises(MoveRefused) as refused:
        moved(old, new, waiting(old, ScriptedRunner()))

    assert refused.value.facts["task"] == ("careful" if "careless" in after else "careful/hear")


def test_a_flow_that_is_gone_is_refused() -> None:
    """There is nothing that the instance could go on in; without one, nothing is asked of the release."""
    old = draft(OLD)

    with pytest.raises(MoveRefused):
        move([whereabouts(old, None)], {old.hash: old}, [])
    assert move([], {}, []) == []


def test_what_has_not_begun_begins_in_the_new_flow() -> None:
    """A start that waits for another instance is one of the new flow; one of the release's own stays."""
    old, new = draft(OLD), draft(NEW)

    assert moved(old, new, None).state is None
    assert moved(old, new, None).flow == new.hash
    [same] = move([whereabouts(new, None)], {new.hash: new}, [new.hash])
    assert (same.flow, same.moves) == (new.hash, 0)


def test_counters_follow_their_tasks() -> None:
    """Visits, generations and faults are found under the new paths; calls keep keys that no new one can have."""
    old, new = draft(OLD), draft(NEW)
    state = waiting(old, ScriptedRunner())
    counted = {"/do/0[3][e]": 9, "/do/0": 1, "/do/1": 2, "/do/1/try/0": 3, "/do/2": 4, "": 5}
    state.visits, state.generations, state.faults = dict(counted), dict(counted), dict(counted)
    state.calls = [Done(key="/do/0#0.0", task="/do/0/first", action="a@1")]

    one = moved(old, new, state, moves=2)

    assert one.state is not None
    found = InstanceState.load(one.state)
    assert (
        found.visits
        == found.generations
        == found.faults
        == {"/do/2[3][e]": 9, "/do/2": 1, "/do/3": 2, "/do/1": 4, "": 5}
    )
    assert [call.key for call in found.calls] == ["/^2/do/0#0.0"]
    assert one.instance.endswith("^3")


def test_what_an_instance_has_got_part_of_must_stay() -> None:
    """Listening to all, with one of them there: other events are refused; with none they are not."""
    both = "  - hear: {listen: {to: {all: [{with: {type: a}}, {with: {type: b}}]}}, timeout: {after: PT1H}}\n"
    old, new = draft(both), draft(both.replace("type: b", "type: c"))
    state = waiting(old, ScriptedRunner())
    assert moved(old, new, state).flow == new.hash

    frame = state.frames[-1]
    assert frame.active is not None
    frame.active.received = [{"id": "1"}, None]
    with pytest.raises(MoveRefused, match="other events"):
        moved(old, new, state)


def test_an_instance_that_is_undone_is_refused() -> None:
    """What is being undone is undone in its own flow."""
    old, new = draft(OLD), draft(NEW)
    state = waiting(old, ScriptedRunner())
    state.phase = "undo"

    with pytest.raises(MoveRefused, match="undoing"):
        moved(old, new, state)


def test_moving_there_and_back_is_the_same_place() -> None:
    """Back in the old flow the frames are as they were; only the id tells of it."""
    old, new = draft(OLD), draft(NEW)
    state = waiting(old, ScriptedRunner())
    state.deadline = START + timedelta(hours=9)
    there = moved(old, new, state)
    [back] = move([there], {old.hash: old, new.hash: new}, [old.hash])

    assert back.state is not None
    assert InstanceState.load(back.state).frames == state.frames
    assert back.instance == f"100001:1@{old.hash}^2"


def test_every_task_has_one_address() -> None:
    """The addresses of a flow lead to its tasks, one to one."""
    flow = draft(OLD)
    found = Addresses(flow)

    assert [shown(address) for address in found.tasks] == [
        "first", "careful", "last", "careful/begin", "careful/hear", "careful/act", "careful/sorry",
    ]  # fmt: skip
    assert all(found.of_task(task.path) == address for address, task in found.tasks.items())
    assert found.of_task("/do/9") is None


@pytest.mark.parametrize("part", ["STATE", "FRAME", "ACTIVE"])
def test_what_moving_does_not_know_is_refused(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of a state that nothing says anything about is not carried along by chance."""
    old, new = draft(OLD), draft(NEW)
    state = waiting(old, ScriptedRunner())
    monkeypatch.setattr(relocating, part, frozenset[str]())

    with pytest.raises(MoveRefused, match="cannot be moved"):
        moved(old, new, state)


FORKED = """\
  - both:
      fork:
        branches:
          - left:
              do:
                - hear: {listen: {to: {one: {with: {type: l}}}}, timeout: {after: PT9H}}
                - tell: {call: left}
          - right:
              do:
                - act: {call: right}
                - rest: {wait: PT2H}
                - more: {call: more}
  - each:
      for: {each: item, in: '${ [1, 2] }'}
      do:
        - pause: {wait: PT1H}
        - count: {call: count, with: {item: '${ item }'}}
"""
REORDERED = """\
  - new: {set: {}}
  - both:
      fork:
        branches:
          - right:
              do:
                - act: {call: right}
                - rest: {wait: PT2H}
                - more: {call: more}
          - left:
              do:
                - look: {call: look}
                - hear: {listen: {to: {one: {with: {type: l}}}}, timeout: {after: PT9H}}
                - tell: {call: left}
  - each:
      for: {each: item, in: '${ [1, 2] }'}
      do:
        - look: {call: look}
        - pause: {wait: PT1H}
        - count: {call: count, with: {item: '${ item }'}}
"""


def stopped(text: str, at: int) -> tuple[CompiledFlow, InstanceState, list[str]]:
    """Return a flow, the state of its instance at the *at*-th quiet point, and what was called before."""
    flow = draft(text)
    state = InstanceState.start(flow.hash, event("order.placed"), START)
    runner = ScriptedRunner(events=[event("l", seq=2)])
    runner.stop_at = at
    instance = FlowInstance(flow, state, runner)
    with pytest.raises(Interrupted):
        asyncio.run(_run(instance))
    return flow, instance.state, [what for what, _ in runner.effects]


@pytest.mark.parametrize(
    ("at", "before", "after"),
    [
        pytest.param(0, ["right"], ["left", "more", "look", "count", "look", "count"], id="in both branches"),
        pytest.param(1, ["right", "left"], ["more", "look", "count", "look", "count"], id="one branch has ended"),
        pytest.param(2, ["right", "left", "more"], ["count", "look", "count"], id="in the first round"),
        pytest.param(3, ["right", "left", "more", "count"], ["count"], id="in the second round"),
    ],
)
def test_branches_and_rounds_keep_their_places(at: int, before: list[str], after: list[str]) -> None:
    """Each branch goes on where it was, though it stands elsewhere, and a loop in its round; nothing is done twice."""
    old, state, done = stopped(FORKED, at)
    new = draft(REORDERED)
    one = moved(old, new, state)
    runner = ScriptedRunner(events=[event("l", seq=2)] if at == 0 else [])

    asyncio.run(_run(FlowInstance(new, InstanceState.load(one.state), runner)))

    assert (done, [what for what, _ in runner.effects]) == (before, after)
    assert all(key.startswith(f"{one.instance}/do/") for key in runner.keys)


def test_a_fork_with_other_branches_is_refused() -> None:
    """A branch that is gone, or one that would have to begin, has no place."""
    old, state, _ = stopped(FORKED, 0)

    with pytest.raises(MoveRefused, match="other branches"):
        moved(old, draft(FORKED.replace("- left:", "- links:")), state)
    assert moved(old, draft(FORKED.replace("- links:", "- left:")), state).flow != ""


INNER = "  - ask: {call: ask}\n  - rest: {wait: PT1H}\n  - tell: {call: tell}\n"
OUTER = "  - inside: {run: {workflow: {namespace: shop, name: inner}}}\n  - last: {call: last}\n"


def around(outer: str, inner: str) -> CompiledFlow:
    return draft(outer, flows=[drafted(inner, name="inner")])


def inside(outer: str) -> tuple[CompiledFlow, InstanceState]:
    """Return a flow that runs another one, and its state while that one waits."""
    flow = around(outer, INNER)
    state = InstanceState.start(flow.hash, event("order.placed"), START)
    runner = ScriptedRunner()
    runner.stop_at = 0
    instance = FlowInstance(flow, state, runner)
    with pytest.raises(Interrupted):
        asyncio.run(_run(instance))
    return flow, instance.state


@pytest.mark.parametrize(
    ("outer", "after"),
    [
        pytest.param(OUTER, ["more", "tell", "last"], id="waited for"),
        pytest.param(OUTER.replace("{run: {", "{run: {await: false, "), ["more", "tell"], id="beside"),
    ],
)
def test_a_flow_inside_is_moved_with_the_one_around_it(outer: str, after: list[str]) -> None:
    """It goes on where it was in the new version of its own flow, under keys that no other run of it can have."""
    old, state = inside(outer)
    new = around(f"  - new: {{set: {{}}}}\n{outer}", INNER.replace("  - tell", "  - more: {call: more}\n  - tell"))
    one = moved(old, new, state)
    runner = ScriptedRunner()

    asyncio.run(_run(FlowInstance(new, InstanceState.load(one.state), runner)))

    assert [what for what, _ in runner.effects] == after
    keys = {what: key for (what, _), key in zip(runner.effects, runner.keys, strict=True)}
    assert keys["more"] == f"{one.instance}/^0/do/0#0.0>/do/2#0.0"


def test_a_flow_inside_without_a_place_is_refused() -> None:
    """The task inside must be there too; a flow that is not run any more has none either."""
    old, state = inside(OUTER)

    with pytest.raises(MoveRefused) as refused:
        moved(old, around(OUTER, INNER.replace("- rest:", "- pause:")), state)
    assert refused.value.facts["task"] == "rest"
    with pytest.raises(MoveRefused, match="inside"):
        moved(old, draft("  - last: {call: last}\n"), state)
