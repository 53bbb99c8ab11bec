"""Loops, branches, lasting listens and flows inside flows, on a real server and over many runs."""

from collections.abc import Sequence

import pytest

from tests.workflows.shop import Shop

INNER = """
document: {dsl: 1.0.3, namespace: test, name: inner, version: 1.0.0}
evaluate: {language: cel}
do:
  - hears:
      listen: {to: {one: {with: {type: fulfillment.picked}}}}
      timeout: {after: P1D}
  - tell: {emit: {event: {with: {type: test.inner, data: {said: '${ workflow.input.said }'}}}}}
"""
BRANCHES = """
document: {dsl: 1.0.3, namespace: test, name: branches, version: 1.0.0}
evaluate: {language: cel}
schedule: {on: {one: {with: {type: order.placed}}}}
do:
  - both:
      fork:
        branches:
          - listens:
              listen:
                to: {any: [{with: {type: fulfillment.accepted}}], until: {one: {with: {type: fulfillment.shipped}}}}
              timeout: {after: P1D}
              foreach:
                do:
                  - rest: {wait: PT0.1S}
                  - tell: {emit: {event: {with: {type: test.heard, data: {at: '${ index }'}}}}}
          - inside:
              run: {workflow: {namespace: test, name: inner, version: 1.0.0, input: {said: hello}}}
          - races:
              fork:
                compete: true
                branches:
                  - never: {listen: {to: {one: {with: {type: test.never}}}}, timeout: {after: P1D}}
                  - soon: {wait: PT0.2S}
  - count:
      for: {each: number, in: '[1, 2, 3]'}
      do:
        - rest: {wait: PT0.1S}
        - tell: {emit: {event: {with: {type: test.counted, data: {number: '${ number }'}}}}}
"""
OURS = ("test.heard", "test.inner", "test.counted")


@pytest.fixture
def flows() -> Sequence[str]:
    """Add a flow with branches, and the one that it runs inside."""
    return (BRANCHES, INNER)


async def _ends(shop: Shop) -> list[str]:
    order = await shop.place()
    await shop.until_journal(order, "fulfillment.created")
    await shop.fulfil(order)
    for _ in range(3):
        journal = await shop.until_journal(order, "test.counted", times=3)
    await shop.until_quiet(order)
    assert (await shop.get(f"/v1/orders/{order}"))["status"] == "fulfilled"
    return [type for type in journal if type in OURS]


async def test_branches_end_as_they_should(shop: Shop) -> None:
    """Each branch has heard its own events, once; the loop after the fork has run three times, after all of them."""
    assert sorted((await _ends(shop))[:2]) == ["test.heard", "test.inner"]


@pytest.mark.usefixtures("short_runs")
async def test_branches_go_on_in_new_runs(shop: Shop) -> None:
    """Continued as new at every quiet point, they do what they would have done in one run."""
    told = await _ends(shop)

    assert sorted(told[:2]) == ["test.heard", "test.inner"]
    assert told[2:] == ["test.counted"] * 3


BOTH = """
document: {dsl: 1.0.3, namespace: test, name: both, version: 1.0.0, metadata: {collectsFor: P1D}}
evaluate: {language: cel}
schedule:
  on:
    all:
      - {with: {type: fulfillment.shipped}, correlate: {fo: {from: data.fulfillment_order}}}
      - {with: {type: fulfillment.picked}, correlate: {fo: {from: data.fulfillment_order}}}
do:
  - tell:
      emit:
        event: {with: {type: test.both, data: {types: '${ list(workflow.input).map(it, it.type) }'}}}
"""


class TestTogether:
    """A flow that several events start together."""

    @pytest.fixture
    def flows(self) -> Sequence[str]:
        """Add the flow."""
        return (BOTH,)

    async def _told(self, shop: Shop) -> None:
        order = await shop.place()
        await shop.until_journal(order, "fulfillment.created")
        await shop.until_quiet(order)
        await shop.fulfil(order)
        journal = await shop.until_journal(order, "test.both")
        await shop.until_quiet(order)

        assert journal.count("test.both") == 1
        assert (await shop.get(f"/v1/orders/{order}"))["status"] == "fulfilled"
        assert await shop.outcomes(order, "both") == ["completed", "completed"]

    async def test_all_events_start_one_instance(self, shop: Shop) -> None:
        """One instance, when the last event has come; the order's books know that both events are done with."""
        await self._told(shop)

    @pytest.mark.usefixtures("short_runs")
    async def test_events_wait_over_many_runs(self, shop: Shop) -> None:
        """The event that came first is carried from run to run."""
        await self._told(shop)
