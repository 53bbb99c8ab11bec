"""A flow that is dumped at any quiet point and goes on elsewhere does what it would have done undisturbed."""

from copy import deepcopy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows_dsl.compiled import CompiledFlow
from flows_dsl.compiler import compile_flow
from flows_dsl.loader import document
from flows_dsl.problems import FlowCancelled
from flows_dsl.runner import Resolution
from flows_dsl.testing import ScriptedRunner, Stuck, event, failure, run, run_in_pieces

type Tasks = list[dict[str, Any]]

LEAVES: list[dict[str, Any]] = [
    {"call": "steady", "with": {"seen": "${ input }"}},
    {"call": "shaky"},
    {"call": "shaky", "output": {"as": "${ {'kept': input} }"}, "export": {"as": "${ {'last': task.name} }"}},
    {"set": {"n": "${ size(context) }"}},
    {"set": {"n": "${ input.nope }"}},
    {"if": "${ has(context.last) }", "call": "steady", "then": "end"},
    {"wait": "PT10M"},
    {"wait": "PT0S"},
    {"emit": {"event": {"with": {"type": "noted", "data": {"at": "${ task.reference }"}}}}},
    {"raise": {"error": {"type": "broken", "status": 409}}},
    {"listen": {"to": {"one": {"with": {"type": "a"}}}}, "timeout": {"after": "PT30M"}},
    {"listen": {"to": {"any": [{"with": {"type": "a"}}, {"with": {"type": "b"}}]}}, "timeout": {"after": "PT30M"}},
    {"listen": {"to": {"all": [{"with": {"type": "a"}}, {"with": {"type": "b"}}]}}, "timeout": {"after": "PT30M"}},
    {"set": {}, "then": "exit"},
]


def _named(tasks: list[dict[str, Any]]) -> Tasks:
    return [{f"t{at}": task} for at, task in enumerate(tasks)]


def _with_jump(tasks: list[dict[str, Any]], back: int) -> Tasks:
    """Add a jump backward that is taken twice."""
    target = f"t{back % len(tasks)}"
    switch = {"switch": [{"again": {"when": "${ order.rounds > 0 }", "then": target}}]}
    return [*_named([*tasks, {"call": "round"}]), {"jump": switch}]


def _blocks(children: st.SearchStrategy[Tasks]) -> st.SearchStrategy[dict[str, Any]]:
    catch = st.sampled_from([
        {"errors": {"with": {"status": 409}}},
        {},
        {"as": "problem", "when": "${ problem.status == 400 }"},
        {"retry": {"delay": "PT1M", "limit": {"attempt": {"count": 2}}}},
        {"errors": {"with": {"status": 409}}, "retry": {"delay": "PT5M", "limit": {"attempt": {"count": 1}}}},
    ])  # fmt: skip
    return st.one_of(
        st.builds(lambda inner: {"do": inner}, children),
        st.builds(lambda inner: {"do": inner, "timeout": {"after": "PT15M"}}, children),
        st.builds(lambda inner, how: {"try": inner, "catch": how}, children, catch),
        st.builds(lambda inner, how, then: {"try": inner, "catch": {**how, "do": then}}, children, catch, children),
    )


_leaf_lists: st.SearchStrategy[Tasks] = st.lists(st.sampled_from(LEAVES), min_size=1, max_size=3).map(_named)
_task_lists: st.SearchStrategy[Tasks] = st.recursive(
    _leaf_lists,
    lambda children: st.lists(st.one_of(st.sampled_from(LEAVES), _blocks(children)), min_size=1, max_size=3).map(
        _named
    ),
    max_leaves=5,
)


def _flow(tasks: Tasks, back: int | None) -> CompiledFlow:
    body = [task for item in tasks for task in item.values()]
    return compile_flow(
        document(
            deepcopy(
                {
                    "document": {"dsl": "1.0.3", "namespace": "shop", "name": "random", "version": "1.0.0"},
                    "evaluate": {"language": "cel"},
                    "schedule": {"on": {"one": {"with": {"type": "order.placed"}}}},
                    "do": _with_jump(body, back) if back is not None else tasks,
                }
            )
        )
    )


def _runner(decisions: list[Resolution]) -> ScriptedRunner:
    runner = ScriptedRunner(
        answers={"shaky": [failure(), {"ok": 1}, failure(status=500), {"ok": 2}, {"ok": 3}]},
        header={"rounds": 2},
        events=[event(type, {"n": n}, id=f"e{n}", seq=n) for n, type in enumerate("abacbab", 2)],
        resolutions=[*decisions, *[Resolution(kind="skip", output={"skipped": True})] * 30, Resolution(kind="cancel")],
    )

    def round_(arguments: Any) -> Any:
        runner.header = {"rounds": int(str(runner.header["rounds"])) - 1}
        return {}

    runner.answers = {**runner.answers, "round": [round_]}
    return runner


_decisions = st.lists(
    st.sampled_from([Resolution(kind="retry"), Resolution(kind="retry", input={"x": 1}), Resolution(kind="skip")]),
    max_size=4,
)
PLACED = event("order.placed")


async def _outcome(started: Any) -> Any:
    try:
        return await started
    except (FlowCancelled, Stuck) as ended:
        return f"{type(ended).__name__}: {ended}"


@given(_task_lists, st.none() | st.integers(0, 3), _decisions)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_random_flows_resume_at_every_quiet_point(
    tasks: Tasks, back: int | None, decisions: list[Resolution]
) -> None:
    """Dumped at each quiet point, and at all: the same steps, keys and output; and no key is used twice."""
    flow = _flow(tasks, back)
    whole = _runner(decisions)
    output = await _outcome(run(flow, whole, PLACED))

    for stops in [[at] for at in range(min(whole.quiet, 12))] + [list(range(whole.quiet))]:
        pieces = _runner(decisions)
        assert await _outcome(run_in_pieces(flow, pieces, PLACED, stops)) == output
        assert pieces.asked == whole.asked
        assert pieces.clock == whole.clock
    calls = [it.key for it in whole.asked if it.kind in {"call", "emit"}]
    assert len(set(calls)) == len(calls)
    faults = [it.key for it in whole.asked if it.kind == "fault"]
    assert len(set(faults)) == len(faults)


@given(_task_lists, st.none() | st.integers(0, 3), _decisions)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_random_flows_do_the_same_again(tasks: Tasks, back: int | None, decisions: list[Resolution]) -> None:
    """The interpreter is deterministic: run twice, a flow asks for the same things."""
    flow = _flow(tasks, back)
    first, second = _runner(decisions), _runner(decisions)

    assert await _outcome(run(flow, first, PLACED)) == await _outcome(run(flow, second, PLACED))
    assert first.asked == second.asked
