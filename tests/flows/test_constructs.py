"""Constructs of the specification that no other test shows by itself."""

import pytest

from flows_dsl.check import check_text
from flows_dsl.frames import InstanceState
from flows_dsl.interpreter import FlowInstance
from flows_dsl.runner import Resolution
from flows_dsl.testing import ScriptedRunner, draft, event, failure, run

PLACED = event("order.placed", {"channel": "web"})


async def test_what_only_people_read_changes_nothing() -> None:
    """Remarks on a task do nothing; those on the document are read and do nothing either."""
    plain = draft("  - a: {set: {x: 1}}\n")
    told = draft("  - a: {set: {x: 1}, metadata: {why: because}}\n")
    text = (
        "document: {dsl: 1.0.3, namespace: shop, name: mine, version: 1.0.0, title: Mine, summary: A flow.,"
        " tags: {team: shop}, metadata: {owner: me}}\n"
        "schedule: {on: {one: {with: {type: order.placed}}}}\ndo: [{a: {set: {}}}]\n"
    )

    assert await run(plain, ScriptedRunner(), PLACED) == await run(told, ScriptedRunner(), PLACED) == {"x": 1}
    assert check_text(text) == []


async def test_a_flow_changes_its_input_and_output() -> None:
    """What the first task gets is the flow's input after `from`."""
    compiled = draft('  - a: {set: "${ input }"}\n', extra="input: {from: '${ input[0].data }'}")

    assert await run(compiled, ScriptedRunner(), PLACED) == {"channel": "web"}


async def test_errors_are_raised_by_name() -> None:
    """An error under `use.errors` is raised by its name, with all that is declared there."""
    compiled = draft(
        """\
  - a:
      try: [{b: {raise: {error: gone}}}]
      catch: {as: it, do: [{c: {set: "${ {'type': it.type, 'status': it.status, 'title': it.title} }"}}]}
""",
        extra="use: {errors: {gone: {type: 'https://shop.example/gone', status: 410, title: Gone}}}",
    )

    assert await run(compiled, ScriptedRunner(), PLACED) == {
        "status": 410,
        "title": "Gone",
        "type": "https://shop.example/gone",
    }


async def test_timeouts_are_used_by_name() -> None:
    """A timeout under `use.timeouts` ends a task at its time, as one that is written there does."""
    compiled = draft(
        """\
  - a:
      try: [{b: {listen: {to: {one: {with: {type: never}}}}, timeout: soon}}]
      catch: {as: it, do: [{c: {set: "${ {'status': it.status} }"}}]}
""",
        extra="use: {timeouts: {soon: {after: PT5M}}}",
    )
    runner = ScriptedRunner()

    assert await run(compiled, runner, PLACED) == {"status": 408}
    assert runner.now().isoformat() == "2026-03-02T09:05:00+00:00"


async def test_a_call_hands_its_arguments_to_the_action() -> None:
    """The action gets `with` after its expressions, and what it answers is the task's output."""
    runner = ScriptedRunner(answers={"act": [{"done": True}]})

    output = await run(draft('  - a: {call: act, with: {n: "${ 1 + 1 }", s: x}}\n'), runner, PLACED)

    assert output == {"done": True}
    assert [(it.kind, it.what) for it in runner.asked] == [("call", "act")]
    assert runner.asked[0].arguments == {"n": 2, "s": "x"}


async def test_an_event_is_emitted_with_type_and_data() -> None:
    """One event goes out, with type and data as given."""
    runner = ScriptedRunner()

    await run(draft("  - a: {emit: {event: {with: {type: shop.told, data: {n: '${ 1 + 1 }'}}}}}\n"), runner, PLACED)

    assert [(it.kind, it.what, it.arguments) for it in runner.asked] == [("emit", "shop.told", {"n": 2})]


async def test_all_takes_one_event_for_each_filter() -> None:
    """The output is what came for each filter, in the order of the filters; a second of one kind is left."""
    compiled = draft("  - a: {listen: {to: {all: [{with: {type: x}}, {with: {type: y}}]}}}\n")
    events = [event("y", {"n": 1}, seq=2), event("y", {"n": 2}, seq=3), event("x", {"n": 3}, seq=4)]

    assert await run(compiled, ScriptedRunner(events=events), PLACED) == [{"n": 3}, {"n": 1}]


@pytest.mark.parametrize("read", ["data", "envelope", "raw"])
async def test_events_are_read_as_asked(read: str) -> None:
    """`data` yields what the event holds, `envelope` and `raw` the whole of it."""
    heard = event("x", {"n": 1}, id="100001:2", seq=2)
    compiled = draft(f"  - a: {{listen: {{to: {{one: {{with: {{type: x}}}}}}, read: {read}}}}}\n")

    [output] = await run(compiled, ScriptedRunner(events=[heard]), PLACED)  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType, reportOptionalIterable]

    assert output == ({"n": 1} if read == "data" else heard.model_dump(mode="json"))


@pytest.mark.parametrize(("n", "output"), [(1, {"took": "small"}), (5, {"took": "large"}), (9, {"took": "rest"})])
async def test_the_first_case_that_holds_is_taken(n: int, output: dict[str, str]) -> None:
    """Of several cases that hold the first is taken; one without `when` takes the rest."""
    compiled = draft(
        f"""\
  - n: {{set: {{n: {n}}}}}
  - way:
      switch:
        - a: {{when: "${{ input.n < 3 }}", then: small}}
        - b: {{when: "${{ input.n < 6 }}", then: large}}
        - c: {{then: rest}}
  - small: {{set: {{took: small}}, then: end}}
  - large: {{set: {{took: large}}, then: end}}
  - rest: {{set: {{took: rest}}}}
"""
    )

    assert await run(compiled, ScriptedRunner(), PLACED) == output


async def test_the_default_is_taken_when_no_other_case_holds() -> None:
    """Wherever it stands: the case without `when` comes last."""
    compiled = draft(
        """\
  - way: {switch: [{rest: {then: other}}, {mine: {when: "${ order.n == 1 }", then: one}}]}
  - one: {set: {took: one}, then: end}
  - other: {set: {took: rest}}
"""
    )

    assert await run(compiled, ScriptedRunner(header={"n": 1}), PLACED) == {"took": "one"}
    assert await run(compiled, ScriptedRunner(header={"n": 2}), PLACED) == {"took": "rest"}


async def test_except_when_lets_an_error_pass() -> None:
    """An error that `exceptWhen` describes is not caught: an operator is asked."""
    compiled = draft(
        """\
  - a:
      try: [{b: {call: act}}]
      catch: {as: it, exceptWhen: "${ it.status == 409 }", do: [{c: {call: handle}}]}
"""
    )
    runner = ScriptedRunner(answers={"act": [failure()]}, resolutions=[Resolution(kind="skip", output={"left": True})])

    assert await run(compiled, runner, PLACED) == {"left": True}
    assert [it.what for it in runner.asked if it.kind == "call"] == ["act"]


@pytest.mark.parametrize(("condition", "calls"), [("when", 3), ("exceptWhen", 1)])
async def test_a_retry_has_conditions_of_its_own(condition: str, calls: int) -> None:
    """The error is caught either way; whether it is tried again is for the policy's conditions to say."""
    policy = f"{{{condition}: '${{ it.status == 409 }}', delay: PT1S, limit: {{attempt: {{count: 2}}}}}}"
    compiled = draft(f"  - a: {{try: [{{b: {{call: act}}}}], catch: {{as: it, retry: {policy}}}}}\n")
    runner = ScriptedRunner(answers={"act": [failure(), failure(), failure()]})

    await run(compiled, runner, PLACED)

    assert [it.kind for it in runner.asked].count("call") == calls


async def test_delays_double_until_the_limit() -> None:
    """Exponential delays grow by the factor, up to the longest; past `limit.duration` there is no further try."""
    policy = "{delay: PT10S, backoff: {exponential: {factor: 2, maxDelay: PT30S}}, limit: {duration: PT2M}}"
    compiled = draft(f"  - a: {{try: [{{b: {{call: act}}}}], catch: {{retry: {policy}}}}}\n")
    runner = ScriptedRunner(answers={"act": [failure() for _ in range(9)]})

    await run(compiled, runner, PLACED)

    assert [it.what[11:19] for it in runner.asked if it.kind == "wait"] == [
        "09:00:10", "09:00:30", "09:01:00", "09:01:30", "09:02:00",
    ]  # fmt: skip


async def test_durations_are_text_or_units() -> None:
    """A wait may be ISO 8601 text or an object of units, whose sum it is."""
    runner = ScriptedRunner()

    await run(draft("  - a: {wait: PT90S}\n  - b: {wait: {minutes: 1, milliseconds: 500}}\n"), runner, PLACED)

    assert [it.what for it in runner.asked] == ["2026-03-02T09:01:30+00:00", "2026-03-02T09:02:30.500000+00:00"]


async def test_a_flow_sees_its_own_head() -> None:
    """`workflow` holds id, definition, input and the time of the start."""
    compiled = draft(
        "  - a: {set: {n: '${ workflow.definition.document.name }', t: '${ workflow.startedAt.iso8601 }',"
        " c: '${ workflow.input[0].data.channel }', i: '${ workflow.id }'}}\n"
    )

    assert await run(compiled, ScriptedRunner(), PLACED) == {
        "c": "web",
        "i": f"100001:1@{compiled.hash}",
        "n": "draft",
        "t": "2026-03-02T09:00:00Z",
    }


async def test_lifecycle_events_of_tasks_are_told() -> None:
    """A task that a timeout ends is cancelled; one that waits for an operator is suspended, and resumed after."""
    compiled = draft(
        """\
  - a: {call: act}
  - b:
      try:
        - c:
            do: [{d: {listen: {to: {one: {with: {type: never}}}}}}]
            timeout: {after: PT1S}
      catch: {}
"""
    )
    runner = ScriptedRunner(answers={"act": [failure()]}, resolutions=[Resolution(kind="skip")])
    told: list[tuple[str, str]] = []
    state = InstanceState.start(compiled.hash, PLACED, runner.now())

    await FlowInstance(compiled, state, runner, observe=lambda name, _, what: told.append((name, what))).run()

    assert [what for name, what in told if name == "a"] == ["started", "faulted", "suspended", "resumed", "completed"]
    assert [what for name, what in told if name == "d"] == ["started", "cancelled"]
    assert [what for name, what in told if name == "c"] == ["started", "faulted"]


async def test_a_computed_timeout_is_at_most_90_days() -> None:
    """One that is longer is an error when the task is entered, and nothing is waited for; 90 days are not too long."""
    text = "  - a: {{listen: {{to: {{one: {{with: {{type: x}}}}}}}}, timeout: {{after: '${{ \"P{days}D\" }}'}}}}\n"
    long, longer = (draft(text.format(days=days)) for days in (90, 91))
    runner = ScriptedRunner(resolutions=[Resolution(kind="cancel")])

    assert await run(long, ScriptedRunner(events=[event("x", {"n": 1}, seq=2)]), PLACED) == [{"n": 1}]
    with pytest.raises(Exception, match="at most 90 days"):
        await run(longer, runner, PLACED)
    assert [it.kind for it in runner.asked] == ["fault"]
