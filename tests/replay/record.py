"""
Records histories for the replay tests, on servers of its own: ``python -m tests.replay.record [STORY…]``.

Record anew only when the workflow's code is meant to do something else, never to make a replay test pass: orders that
run in production have histories of the old code, which the new one must replay.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from flows_dsl.prebuilt import documents
from flows_dsl.release import pack
from orderloom.bootstrap.clock import VirtualClock
from orderloom.bootstrap.delivery import Courier
from orderloom.contracts.messages import OrderInput
from orderloom.contracts.queues import workflow_id
from orderloom.domain.routing_policy import RoutingPolicy, Wave
from orderloom.persistence.flows import publish
from orderloom.persistence.starting import Start
from orderloom.settings import Settings
from orderloom.stack import Options, Stack
from tests.workflows.shop import BROKEN, WATCH, Shop, flow, open_shop
from tests.workflows.test_deciding import WAITING
from tests.workflows.undoing import WHOLE

HISTORIES = Path(__file__).parent / "histories"
POOLS = "pool-"
"""So begin the names of the histories of pools; the others are orders'."""

POOL = "central"

type Story = Callable[[Shop], Coroutine[Any, Any, str]]


async def standard(shop: Shop) -> str:
    """Placed, accepted, picked, shipped, captured."""
    order = await shop.place()
    await shop.until_journal(order, "fulfillment.created")
    await shop.fulfil(order)
    await shop.until_journal(order, "payment.captured")
    return order


async def watched(shop: Shop) -> str:
    """As standard, with a flow that listens for a report and then waits."""
    order = await standard(shop)
    await shop.until_journal(order, "test.rested")
    return order


async def authorised_by_us(shop: Shop) -> str:
    """The payment is authorised by the order, and the items are cancelled before they ship."""
    order = await shop.place(authorised=False)
    await shop.until_journal(order, "fulfillment.created")
    items = [{"line": line, "quantity": 1, "reason": "unwanted"} for line in ("a", "b")]
    answer = await shop.post(f"/v1/orders/{order}/cancel-items", {"items": items})
    answer.raise_for_status()
    await shop.until_journal(order, "payment.reversed")
    return order


async def faulty(shop: Shop) -> str:
    """A flow fails, is retried, fails again, and is skipped."""
    order = await shop.place()
    (exception,) = await shop.exceptions(order)
    await shop.resolve(exception["id"], "retry")
    await shop.until_journal(order, "exception.raised", 2)
    (exception,) = await shop.exceptions(order)
    await shop.resolve(exception["id"], "skip", output={"invoice": "by hand", "total": 0})
    await shop.until_journal(order, "test.over")
    return order


async def decided(shop: Shop) -> str:
    """A flow fails; it is retried with other input, after going back and failing again; the order goes on anew."""
    order = await shop.place()
    (exception,) = await shop.exceptions(order)
    await shop.resolve(exception["id"], "goto", task="plan", input={})
    await shop.until_journal(order, "exception.raised", 2)
    (exception,) = await shop.exceptions(order)
    await shop.resolve(exception["id"], "retry", input={"schedule": 1})
    await shop.until_journal(order, "test.over")
    return order


async def undone(shop: Shop) -> str:
    """All that a flow has done is undone, after the refund was declined once."""
    order = await shop.place(authorised=False)
    (exception,) = await shop.exceptions(order)
    await shop.fault({"kind": "decline", "operation": "refund", "code": "account_closed"})
    await shop.resolve(exception["id"], "compensate")
    (exception,) = await shop.exceptions(order)
    await shop.resolve(exception["id"], "retry")
    await shop.until_journal(order, "flow.compensated")
    return order


async def moved(shop: Shop) -> str:
    """The order is moved to another release while one flow listens and another waits for an operator; both go on."""
    order = await shop.place()
    (exception,) = await shop.exceptions(order)
    await shop.until_quiet(order)
    texts = [each.replace("version: 1.0.0", "version: 1.1.0") for each in (WATCH, BROKEN)]
    texts = [each.replace("do:\n", "do:\n  - look: {set: {seen: 1}}\n") for each in texts]
    async with shop.stack.engine.begin() as conn:
        release = (await publish(conn, pack([*documents(), *map(flow, texts)]), shop.stack.clock.now())).release
    answer = await shop.post(f"/v1/orders/{order}/release", {"release": release})
    answer.raise_for_status()
    await shop.fulfil(order)
    await shop.until_journal(order, "test.rested")
    await shop.resolve(exception["id"], "skip", output={"invoice": "by hand", "total": 0})
    await shop.until_journal(order, "test.over")
    return order


async def waved(shop: Shop) -> str:
    """A wave routes the order; its pool's workflow continues as new and finds nothing more."""
    order = await shop.place()
    await shop.until_journal(order, "routing.scheduled")
    await shop.route_pool(POOL, orders=1, waves=1)
    await shop.until_journal(order, "fulfillment.created")
    await shop.fulfil(order)
    await shop.until_journal(order, "payment.captured")
    return order


async def remorseful(shop: Shop) -> str:
    """A remorse period of a day passes in virtual time."""
    order = await shop.place()
    await shop.until_quiet(order)
    clock = shop.stack.clock
    assert isinstance(clock, VirtualClock)
    offset = clock.advance_to(clock.now().replace(year=clock.now().year + 1))
    handle = shop.stack.client.get_workflow_handle(workflow_id(order))
    await handle.execute_update("advance", offset.total_seconds())
    await shop.until_journal(order, "fulfillment.created")
    return order


@dataclass(frozen=True)
class Case:
    """A story, and the shop that it happens in."""

    story: Story
    flows: Sequence[str] = ()
    policy: dict[str, Any] = field(default_factory=dict[str, Any])
    max_events: int | None = None
    shipped: bool = True
    """Whether the flows that ship are in force too."""
    pool: str | None = None
    """A routing pool whose workflow is recorded too."""


CASES = (
    Case(standard),
    Case(watched, flows=(WATCH,), max_events=12),
    Case(authorised_by_us),
    Case(faulty, flows=(BROKEN,)),
    Case(moved, flows=(WATCH, BROKEN), max_events=30),
    Case(remorseful, policy={"remorse": 86_400.0}),
    Case(decided, flows=(WAITING,), max_events=12, shipped=False),
    Case(undone, flows=(WHOLE,), max_events=30, shipped=False),
    Case(waved, policy={"routing": RoutingPolicy(wave=Wave(pool=POOL, interval=3_600))}, pool=POOL),
)


async def main(names: Sequence[str] = ()) -> None:
    """Record the stories named, or all, each with servers of its own, so that orders have the same ids every time."""
    for case in CASES:
        if names and case.story.__name__ not in names:
            continue
        with tempfile.TemporaryDirectory(prefix="ol-") as directory:
            settings = Settings(data_dir=Path(directory), temporal_ui_port=None, api_port=0, gateway_port=0)
            await _record(settings, case)


async def _record(settings: Settings, case: Case) -> None:
    name = case.story.__name__.replace("_", "-")
    options = Options(clock=VirtualClock(), durable=False, webhook_lag=0.5, patience=20.0)
    async with Stack.start(settings, options) as stack:
        await open_shop(stack.engine, case.flows, shipped=case.shipped, **case.policy)
        shop = Shop(stack)
        with _runs_of(case.max_events):
            order = await case.story(shop)
            await shop.until_quiet(order)
        _write(name, await shop.histories(order))
        if case.pool is not None:
            _write(f"{POOLS}{name}", await shop.pool_histories(case.pool))


def _write(name: str, histories: Sequence[str]) -> None:
    for number, text in enumerate(histories, start=1):
        path = HISTORIES / f"{name}-{number}.json"
        path.write_text(json.dumps(json.loads(text), indent=1) + "\n")
        print(path.name, len(json.loads(text)["events"]), "events")  # noqa: T201


@contextmanager
def _runs_of(max_events: int | None) -> Generator[None]:
    """Let orders continue as new at every quiet point after so many events."""
    original = Courier.start_input

    async def short(courier: Courier, order_id: str, intake_id: str | None, start: Start | None = None) -> OrderInput:
        given = await original(courier, order_id, intake_id, start)
        return given.model_copy(update={"max_events": max_events})

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Courier, "start_input", short)
        yield


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
