"""``listen`` with ``until``, ``foreach`` and ``correlate``."""

import pytest

from flows_dsl.testing import ScriptedRunner, draft, event, run
from orderloom.contracts.messages import Event
from orderloom.domain.model import Json

PLACED = event("order.placed", {"shop": "north"})


def _events(*given: tuple[str, dict[str, Json]]) -> list[Event]:
    return [event(type, data, id=f"100001:{seq}", seq=seq) for seq, (type, data) in enumerate(given, 2)]


async def test_until_a_condition_on_what_was_taken() -> None:
    """Events are taken until the condition holds of the list of them; what comes after stays."""
    flow = draft("""
  - bids:
      listen: {to: {any: [{with: {type: bid}}], until: 'size(events) == 2'}}
      timeout: {after: P1D}
""")
    runner = ScriptedRunner(events=_events(("bid", {"n": 1}), ("bid", {"n": 2}), ("bid", {"n": 3})))

    assert await run(flow, runner, PLACED) == [{"n": 1}, {"n": 2}]
    assert [it.data for it in runner.events] == [{"n": 3}]


async def test_until_other_events_which_are_no_part_of_the_output() -> None:
    """The ending event ends the task; it is consumed, and the output holds only the others."""
    flow = draft("""
  - bids:
      listen: {to: {any: [{with: {type: bid}}], until: {one: {with: {type: closed}}}}}
      timeout: {after: P1D}
""")
    runner = ScriptedRunner(events=_events(("bid", {"n": 1}), ("closed", {}), ("bid", {"n": 2})))

    assert await run(flow, runner, PLACED) == [{"n": 1}]
    assert [it.type for it in runner.events] == ["bid"]


async def test_until_nothing_only_a_timeout_ends_it() -> None:
    """``until: false`` takes whatever comes, until the timeout faults the task."""
    flow = draft("""
  - guarded:
      try:
        - bids:
            listen: {to: {any: [{with: {type: bid}}], until: false}}
            timeout: {after: PT1H}
      catch: {errors: {with: {status: 408}}, do: [{tell: {call: tell, with: {}}}]}
""")
    runner = ScriptedRunner(events=_events(("bid", {}), ("bid", {})))

    await run(flow, runner, PLACED)

    assert (runner.events, [what for what, _ in runner.effects]) == ([], ["tell"])


async def test_foreach_does_tasks_for_each_event_under_keys_that_name_it() -> None:
    """Each event has its tasks before the next one is taken; the key holds the event's id, not its place."""
    flow = draft("""
  - bids:
      listen: {to: {any: [{with: {type: bid}}], until: 'size(events) == 2'}}
      timeout: {after: P1D}
      foreach:
        item: bid
        at: place
        do:
          - ask: {call: tell, with: {n: '${ bid.n }', at: '${ place }'}}
        output: {as: '${ {"was": output} }'}
""")
    runner = ScriptedRunner(
        events=_events(("bid", {"n": 5}), ("bid", {"n": 6})), answers={"tell": [{"ok": 1}, {"ok": 2}]}
    )

    assert await run(flow, runner, PLACED) == [{"was": {"ok": 1}}, {"was": {"ok": 2}}]
    assert runner.effects == [("tell", {"n": 5, "at": 0}), ("tell", {"n": 6, "at": 1})]
    assert runner.paths == [f"/do/0/foreach/do/0[100001:{seq}]#0.0" for seq in (2, 3)]


async def test_foreach_goes_through_the_events_of_all_filters() -> None:
    """Without until, each filter takes one event, and each event has its tasks."""
    flow = draft("""
  - both:
      listen: {to: {all: [{with: {type: paid}}, {with: {type: packed}}]}}
      timeout: {after: P1D}
      foreach: {do: [{ask: {call: tell, with: {}}}]}
""")
    runner = ScriptedRunner(events=_events(("packed", {}), ("packed", {}), ("paid", {})))

    assert await run(flow, runner, PLACED) == [{}, {}]
    assert len(runner.effects) == 2
    assert [it.type for it in runner.events] == ["packed"]


@pytest.mark.parametrize("language", ["cel", "jq"])
async def test_only_events_that_correlate_are_taken(language: str) -> None:
    """The value taken from the event must be equal to what is expected; others stay."""
    expect = "${ workflow.input[0].data.shop }" if language == "cel" else "${ $workflow.input[0].data.shop }"
    source = "data.shop" if language == "cel" else ".shop"
    flow = draft(
        f"""
  - hears:
      listen:
        to:
          one:
            with: {{type: bid}}
            correlate: {{shop: {{from: {source}, expect: '{expect}'}}}}
      timeout: {{after: P1D}}
""",
        language=language,  # type: ignore[arg-type]
    )
    runner = ScriptedRunner(events=_events(("bid", {"shop": "south"}), ("bid", {}), ("bid", {"shop": "north"})))

    assert await run(flow, runner, PLACED) == [{"shop": "north"}]
    assert len(runner.events) == 2
