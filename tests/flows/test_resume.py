"""A flow that is dumped at any quiet point and goes on elsewhere does what it would have done undisturbed."""

import asyncio
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from zlib import crc32

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows_dsl.compiled import CompiledFlow
from flows_dsl.compiler import compile_flow
from flows_dsl.loader import document
from flows_dsl.problems import FlowCancelled
from flows_dsl.runner import Fault, Resolution, Retry, Step
from flows_dsl.testing import ScriptedRunner, Stuck, drafted, event, failure, run, run_in_pieces
from orderloom.domain.model import Json, JsonObject

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
    {
        "listen": {"to": {"any": [{"with": {"type": "a"}}], "until": "size(events) == 2"}},
        "timeout": {"after": "PT30M"},
    },
    {
        "listen": {"to": {"any": [{"with": {"type": "a"}}], "until": {"one": {"with": {"type": "b"}}}}},
        "timeout": {"after": "PT30M"},
    },
    {"run": {"workflow": {"namespace": "shop", "name": "inner", "input": {"n": "${ size(context) }"}}}},
    {"run": {"workflow": {"namespace": "shop", "name": "inner"}}, "timeout": {"after": "PT5M"}},
    {"run": {"await": False, "workflow": {"namespace": "shop", "name": "inner", "version": "1.0.0"}}},
]

INNER = """
  - first: {call: shaky}
  - rest: {wait: PT10M}
  - hears: {listen: {to: {one: {with: {type: b}}}}, timeout: {after: PT20M}}
"""


def _named(tasks: list[dict[str, Any]]) -> Tasks:
    return [{f"t{at}": task} for at, task in enumerate(tasks)]


def _with_jump(tasks: list[dict[str, Any]], back: int) -> Tasks:
    """Add a jump backward that is taken twice."""
    target = f"t{back % len(tasks)}"
    switch = {"switch": [{"again": {"when": "${ order.rounds > 0 }", "then": target}}]}
    return [*_named([*tasks, {"call": "round"}]), {"jump": switch}]


def _foreach(inner: Tasks) -> dict[str, Any]:
    wanted = {"any": [{"with": {"type": "a"}}], "until": {"one": {"with": {"type": "b"}}}}
    return {"listen": {"to": wanted}, "foreach": {"do": inner}, "timeout": {"after": "PT40M"}}


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
        st.builds(lambda inner: {"for": {"in": "[1, 2]"}, "do": inner}, children),
        st.builds(lambda inner: {"for": {"in": "[1, 2, 3]"}, "while": "item < 3", "do": inner}, children),
        st.builds(lambda inner: {"fork": {"branches": inner}}, children),
        st.builds(lambda inner: {"fork": {"branches": inner, "compete": True}}, children),
        st.builds(lambda inner: {"fork": {"branches": inner}, "timeout": {"after": "PT12M"}}, children),
        st.builds(_foreach, children),
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
        ),
        [drafted(INNER, name="inner")],
    )


_SHAKY = [failure(), {"ok": 1}, failure(status=500), {"ok": 2}, {"ok": 3}]


@dataclass
class Keyed(ScriptedRunner):
    """Answers by the key of a step alone: what runs beside it changes nothing."""

    decisions: list[Resolution] = field(default_factory=list[Resolution])

    async def call(self, step: Step, action: str, arguments: JsonObject, retry: Retry | None) -> Json:
        """Answer an action that is shaky as its key says; each round leaves one round less."""
        if action == "round":
            self.header = {"rounds": int(str(self.header["rounds"])) - 1}
        self.answers = {**self.answers, "shaky": [_SHAKY[crc32(step.key.encode()) % len(_SHAKY)]]}
        return await super().call(step, action, arguments, retry)

    async def fault(self, step: Step, fault: Fault) -> Resolution:
        """Decide as the key says, and skip what has failed twice."""
        await super().fault(step, fault)
        if step.generation > 1 or not self.decisions:
            return Resolution(kind="skip", output={"skipped": True})
        return self.decisions[crc32(step.key.encode()) % len(self.decisions)]


def _runner[R: Keyed](decisions: list[Resolution], made: Callable[..., R] = Keyed) -> R:
    return made(
        header={"rounds": 2},
        events=[event(type, {"n": n}, id=f"e{n}", seq=n) for n, type in enumerate("abacbab", 2)],
        resolutions=[Resolution(kind="skip")] * 500,
        decisions=decisions,
    )


_decisions = st.lists(
    st.sampled_from([Resolution(kind="retry"), Resolution(kind="retry", input={"x": 1}), Resolution(kind="skip")]),
    max_size=4,
)
PLACED = event("order.placed")


def _told(runner: ScriptedRunner) -> list[str]:
    """
    Return what was asked for, by key.

    What runs beside each other has no order; and a wait that is over when its flow goes on is not asked for again.
    """
    return sorted(it.model_dump_json() for it in runner.asked if it.kind != "wait")


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
        assert _told(pieces) == _told(whole)
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


@dataclass
class Committing(Keyed):
    """Commits each effect once: asked again with the same key, it answers what it answered."""

    committed: dict[str, Json] = field(default_factory=dict[str, Json])
    dies_after: int | None = None
    """How many effects are committed before the worker dies: no answer is heard of any more."""
    died: asyncio.Event = field(default_factory=asyncio.Event)

    async def call(self, step: Step, action: str, arguments: JsonObject, retry: Retry | None) -> Json:
        """Commit, unless that was done; a refusal commits nothing and comes again."""
        if step.key not in self.committed:
            await self._alive()
            answer = await super().call(step, action, arguments, retry)
            await self._commit(step.key, [action, arguments, answer])
        elif action == "round":
            self.header = {"rounds": int(str(self.header["rounds"])) - 1}  # it comes with the answer
        known = self.committed[step.key]
        assert isinstance(known, list)
        assert known[:2] == [action, arguments], "the same key came with another input"
        return known[2]

    async def emit(self, step: Step, type: str, data: JsonObject) -> None:
        """Commit, unless that was done."""
        if step.key not in self.committed:
            await self._alive()
            await super().emit(step, type, data)
            await self._commit(step.key, [type, data])

    async def _commit(self, key: str, what: Json) -> None:
        self.committed[key] = what
        if self.dies_after is not None and len(self.committed) == self.dies_after:
            self.died.set()
        await self._alive()

    async def _alive(self) -> None:
        if self.died.is_set():
            await asyncio.get_running_loop().create_future()


def _committing(decisions: list[Resolution], committed: dict[str, Json], dies_after: int | None) -> Committing:
    return _runner(decisions, partial(Committing, committed=committed, dies_after=dies_after))


@given(_task_lists, st.none() | st.integers(0, 3), _decisions)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_a_worker_killed_between_any_two_effects_changes_nothing(
    tasks: Tasks, back: int | None, decisions: list[Resolution]
) -> None:
    """Begun anew after each effect whose answer was lost: the same output, and each effect once, with one input."""
    flow = _flow(tasks, back)
    undisturbed: dict[str, Json] = {}
    output = await _outcome(run(flow, _committing(decisions, undisturbed, None), PLACED))

    for at in range(1, len(undisturbed) + 1):
        committed: dict[str, Json] = {}
        dying = _committing(decisions, committed, at)
        killed = asyncio.create_task(run(flow, dying, PLACED))
        died = asyncio.create_task(dying.died.wait())
        await asyncio.wait([killed, died], return_when=asyncio.FIRST_COMPLETED)
        assert died.done(), "the effect was not come to"
        killed.cancel()
        with pytest.raises(asyncio.CancelledError):
            await killed
        assert await _outcome(run(flow, _committing(decisions, committed, None), PLACED)) == output
        assert committed == undisturbed
