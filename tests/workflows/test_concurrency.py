"""What happens to an event while an instance of its flow runs, as the flow says."""

from collections import Counter
from collections.abc import Sequence

import pytest

from tests.workflows.shop import Shop

TICKS = """
document: {dsl: 1.0.3, namespace: test, name: ticks, version: 1.0.0}
evaluate: {language: cel}
schedule: {on: {one: {with: {type: order.placed}}}}
do:
  - one: {emit: {event: {with: {type: test.tick, data: {n: 1}}}}}
  - two: {emit: {event: {with: {type: test.tick, data: {n: 2}}}}}
  - three: {emit: {event: {with: {type: test.tick, data: {n: 3}}}}}
"""
SLOW = """
document: {dsl: 1.0.3, namespace: test, name: slow-MODE, version: 1.0.0, metadata: {concurrency: MODE}}
evaluate: {language: cel}
schedule: {on: {one: {with: {type: test.tick}}}}
do:
  - work: {wait: PT0.4S}
  - done: {emit: {event: {with: {type: test.MODE, data: {n: '${ workflow.input[0].data.n }'}}}}}
"""
MODES = ("parallel", "queue", "drop", "replace")


@pytest.fixture
def flows() -> Sequence[str]:
    """Add a flow for each way, all started by the same three events."""
    return (TICKS, *(SLOW.replace("MODE", mode) for mode in MODES))


async def test_each_flow_takes_events_as_it_says(shop: Shop) -> None:
    """Parallel and queued instances all run, in sequence; dropped ones never do; of replaced ones the last does."""
    order = await shop.place()
    await shop.until_journal(order, "test.queue", 3)
    await shop.until_quiet(order)

    done = await shop.events(order, "test.")
    numbers = {mode: [data["n"] for type, data in done if type == f"test.{mode}"] for mode in MODES}
    assert numbers == {"parallel": [1, 2, 3], "queue": [1, 2, 3], "drop": [1], "replace": [3]}
    assert Counter(await shop.outcomes(order, "slow-drop")) == {"completed": 1, "dropped": 2}
    assert Counter(await shop.outcomes(order, "slow-replace")) == {"completed": 1, "replaced": 2}
