"""Simulating at the desk: traces out of what is recorded, and where another flow leaves them."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from flows_dsl.compiled import Call, CompiledFlow
from flows_dsl.past import WAITS, Answer, Decided, Otherwise, Past, Pending, Trace, Unclear
from flows_dsl.resolved import digest
from flows_dsl.runner import Resolution
from flows_dsl.simulating import hold, trace_of
from flows_dsl.testing import START, draft, event, failure
from flows_dsl.verdicts import PastInstance, judge
from orderloom.contracts.messages import Event
from orderloom.domain.errors import Problem
from orderloom.domain.model import Json

FLOW = """\
  - look: {call: find}
  - careful:
      try:
        - act: {call: reserve, with: {found: '${ input.found }'}}
      catch:
        errors: {with: {status: 409}}
        do:
          - sorry: {call: release}
          - tell: {emit: {event: {with: {type: t.sorry, data: {}}}}, then: end}
  - hear: {listen: {to: {one: {with: {type: x.y}}}}, timeout: {after: PT1H}}
  - last: {call: ship}
"""
PLACED = event("order.placed")
MOVED, GONE = failure(code="stock.moved").problem, failure(code="stock.gone", status=404).problem


def past(
    flow: CompiledFlow,
    answers: dict[str, tuple[str, Json, Json] | None],
    *,
    events: Sequence[Event] = (PLACED,),
    faults: dict[str, list[Decided]] | None = None,
    errors: Sequence[Problem] = (MOVED, GONE),
    hours: int = 0,
) -> Past:
    """Return what is recorded: by path, the action with its arguments and output."""
    prefix = f"{PLACED.id}@{flow.hash}"

    def answer(given: tuple[str, Json, Json] | None) -> Answer | None:
        if given is None:
            return None
        asked = digest({"action": given[0], "input": given[1]})
        return Answer(output=given[2], seq=1, asked=asked)

    return Past(
        events=list(events),
        answers={f"{prefix}{key}#0.0": answer(given) for key, given in answers.items()},
        faults={f"{prefix}{key}": each for key, each in (faults or {}).items()},
        header=lambda seq: {"seq": seq},
        until=START + timedelta(hours=hours),
        errors=lambda action: errors,
    )


FOUND = {"/do/0": ("find", {}, {"found": 7}), "/do/1/try/0": ("reserve", {"found": 7}, {})}
SORRY = {
    "/do/0": ("find", {}, {"found": 7}),
    "/do/1/catch/do/0": ("release", {}, {}),
    "/do/1/catch/do/1": ("emit-event", {"type": "t.sorry", "data": {}}, {}),
}


def traced(flow: CompiledFlow, recorded: Past, *, finished: bool = True) -> Trace:
    return asyncio.run(trace_of(flow, recorded, PLACED, finished=finished))


def held(text: str, recorded: Past, trace: Trace) -> tuple[str | None, str | None] | None:
    """Return what was done and what would have been, or None when both are the same."""
    try:
        asyncio.run(hold(draft(text), recorded, PLACED, trace))
    except Otherwise as otherwise:
        return tuple(None if it is None else str(it) for it in (otherwise.expected, otherwise.got))  # pyright: ignore
    return None


def test_a_trace_goes_as_far_as_the_record() -> None:
    """Calls answer as they did; the instance that waits for an event is still there."""
    flow = draft(FLOW)

    trace = traced(flow, past(flow, FOUND), finished=False)

    assert [str(met.effect) for met in trace.met] == ["call find", 'call reserve {"found":7}']
    assert not trace.ended


def test_the_error_is_found_that_leads_to_what_is_recorded() -> None:
    """A call without an answer has failed; of its errors the caught one explains what followed."""
    flow = draft(FLOW)

    trace = traced(flow, past(flow, SORRY, errors=(GONE, MOVED)))

    assert [str(met.effect) for met in trace.met] == [
        "call find", 'call reserve {"found":7}', "call release", "emit t.sorry",
    ]  # fmt: skip
    assert trace.ended


def test_what_nothing_explains_is_unclear() -> None:
    """Without a fitting error an instance that has ended is unclear; one under way is still at its call."""
    flow = draft(FLOW)
    recorded = past(flow, {"/do/0": FOUND["/do/0"]}, errors=(GONE,))

    with pytest.raises(Unclear, match="reserve"):
        traced(flow, recorded)
    trace = traced(flow, recorded, finished=False)
    assert isinstance(trace.met[-1].got, Pending)


def test_arguments_that_do_not_fit_are_unclear() -> None:
    """Other arguments than were recorded show that something is not known; nothing is made of it."""
    flow = draft(FLOW)
    recorded = past(flow, {**FOUND, "/do/1/try/0": ("reserve", {"found": 8}, {})})

    with pytest.raises(Unclear, match="arguments of reserve"):
        traced(flow, recorded)


def test_an_operators_decision_is_part_of_the_past() -> None:
    """An error that waited is met again with what was decided; undecided, the instance is still there."""
    flow = draft("  - act: {call: a}\n  - then: {call: b, with: {x: '${ input.y }'}}\n")
    skip = Resolution(kind="skip", output={"y": 3})
    answers: dict[str, tuple[str, Json, Json] | None] = {"/do/1": ("b", {"x": 3}, {})}

    decided = traced(flow, past(flow, answers, faults={"/do/0": [Decided(problem=MOVED, resolution=skip)]}))
    waiting = past(flow, {}, faults={"/do/0": [Decided(problem=MOVED, resolution=None)]})
    undecided = traced(flow, waiting, finished=False)

    assert [str(met.effect) for met in decided.met] == ["call a", "fault stock.moved", 'call b {"x":3}']
    assert decided.ended
    assert str(undecided.met[-1].effect) == "fault stock.moved"
    assert held("  - act: {call: a}\n  - other: {call: c}\n", waiting, undecided) is None


@pytest.mark.parametrize(
    ("change", "found"),
    [
        pytest.param(lambda text: text, None, id="the same"),
        pytest.param(lambda text: text.replace("- last: {call: ship}", "- last: {call: send}"), None, id="later"),
        pytest.param(
            lambda text: text.replace("found: '${ input.found }'", "found: '${ input.found + 1 }'"),
            ('call reserve {"found":7}', 'call reserve {"found":8}'),
            id="other arguments",
        ),
        pytest.param(
            lambda text: text.replace("- careful:", "- new: {call: more}\n  - careful:"),
            ('call reserve {"found":7}', "call more"),
            id="one more",
        ),
        pytest.param(
            lambda text: text.replace("{call: find}", "{call: find, then: end}"),
            ('call reserve {"found":7}', None),
            id="ends early",
        ),
        pytest.param(
            lambda text: text.replace("- hear:", "- hurry: {call: ship}\n  - hear:"), (str(WAITS), "call ship"), id="on"
        ),
        pytest.param(
            lambda text: text.replace("- hear: {listen", "- hear: {if: '${ false }', listen"),
            (str(WAITS), "call ship"),
            id="does not wait",
        ),
    ],
)
def test_the_first_difference_is_told(
    change: Callable[[str], str], found: tuple[str | None, str | None] | None
) -> None:
    """Another flow is held to the trace: what is the same passes, the first thing that is not is named."""
    flow = draft(FLOW)
    recorded = past(flow, FOUND)

    assert held(change(FLOW), recorded, traced(flow, recorded, finished=False)) == found


def test_events_and_timeouts_are_met_as_they_came() -> None:
    """An event before the deadline is taken, one after it is not; another deadline may change that."""
    text = (
        "  - patient:\n"
        "      try: [{hear: {listen: {to: {one: {with: {type: x.y}}}}, timeout: {after: PT1H}}}]\n"
        "      catch: {errors: {with: {status: 408}}}\n"
        "  - last: {call: ship}\n"
    )
    flow = draft(text)
    late = Event.model_validate({**event("x.y", seq=2, id="e").model_dump(), "time": START + timedelta(minutes=90)})
    recorded = past(flow, {"/do/1": ("ship", {}, {})}, events=[PLACED, late], hours=5)

    trace = traced(flow, recorded)

    assert [str(met.effect) for met in trace.met] == ["event timeout", "call ship"]
    assert held(text, recorded, trace) is None
    assert held(text.replace("PT1H", "PT2H"), recorded, trace) == ("event timeout", "event x.y e")


def test_an_order_is_judged_by_all_its_instances() -> None:
    """The verdict names event, flow and task; a moved order and a flow that is not there are told too."""
    flow, other = draft(FLOW), draft(FLOW.replace("{call: find}", "{call: search}"))
    recorded = past(flow, FOUND)
    one = PastInstance(event=PLACED, flow=flow.hash, status="running")

    def verdict(target: dict[str, CompiledFlow], status: str = "running") -> Any:
        instances = [one.model_copy(update={"status": status})]
        found = asyncio.run(judge("100001", recorded, instances, {flow.hash: flow}, target))
        return found.outcome, found.first and (found.first.task, found.first.did, found.first.would)

    assert verdict({"draft": flow}) == ("same", None)
    assert verdict({"draft": other}) == ("different", ("look", "call find", "call search"))
    assert verdict({}) == ("different", (None, "start", "not start"))
    assert verdict({"draft": other}, "moved") == ("unclear", None)
    assert verdict({"draft": other}, "dropped") == ("same", None)


RACE = """\
  - race:
      fork:
        compete: true
        branches:
          - slow: {do: [{rest: {wait: PT2H}}, {tell: {call: slow}}]}
          - event:
              do:
                - hear: {listen: {to: {one: {with: {type: x.y}}}}, timeout: {after: PT9H}}
                - say: {call: heard}
          - quick: {do: [{rest: {wait: PT1H}}, {tell: {call: quick}}]}
  - after: {call: after}
"""


@pytest.mark.parametrize(
    ("minutes", "won"),
    [pytest.param(30, ("/do/0/fork/branches/1/do/1", "heard"), id="the event"),
     pytest.param(90, ("/do/0/fork/branches/2/do/1", "quick"), id="the short wait")],
)  # fmt: skip
def test_branches_race_as_they_did(minutes: int, won: tuple[str, str]) -> None:
    """What comes first by business time wins, in whatever order the branches stand in the document."""
    flow = draft(RACE)
    path = next(
        task.path
        for tasks in flow.lists.values()
        for task in tasks.tasks
        if isinstance(task.body, Call) and task.body.action == won[1]
    )
    heard = {**event("x.y", seq=2, id="e").model_dump(), "time": START + timedelta(minutes=minutes)}
    answers: dict[str, tuple[str, Json, Json] | None] = {path: (won[1], {}, {}), "/do/1": ("after", {}, {})}
    recorded = past(flow, answers, events=[PLACED, Event.model_validate(heard)], hours=5)

    trace = traced(flow, recorded)

    assert [str(met.effect) for met in trace.met if met.effect.kind == "call"] == [f"call {won[1]}", "call after"]
    assert trace.ended
    assert held(RACE, recorded, trace) is None
    changed = held(RACE.replace("PT1H", "PT10M"), recorded, trace)
    assert changed is not None
    assert changed[1] == "wait 2026-03-02T09:10:00+00:00"
