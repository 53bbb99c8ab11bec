"""The standard order, from placing to fulfilled, on real servers."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event
from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory

from orderloom.bootstrap.builds import BUILD_IDS, noted
from orderloom.contracts.queues import workflow_id
from orderloom.stack import Options
from tests.workflows.shop import Shop, secrets_in

JOURNAL = [
    "order.placed",
    "stock.reserved",
    "order.released",
    "routing.scheduled",
    "routing.attempted",
    "fulfillment.created",
    "fulfillment.accepted",
    "fulfillment.picked",
    "fulfillment.shipped",
    "order.fulfilled",
    "invoice.created",
    "payment.captured",
    "payment.updated",
]

PASSING = {"routing_searches", "uq_proposals_open", "ix_outbox_unpublished", "ix_flow_instances_open"}
"""Tables and indexes whose rows are there only for a while: questions to the routing pool, open proposals, events that
are not published yet, flows under way."""


@pytest.fixture
def options() -> Options:
    """Let the webhook come well after the answer: one that is first, or that waits for it, changes what is sent."""
    return Options(webhook_lag=1.5, patience=20.0)


async def _history(shop: Shop, order: str) -> WorkflowHistory:
    return await shop.stack.client.get_workflow_handle(workflow_id(order)).fetch_history()


async def test_a_standard_order_is_fulfilled(shop: Shop) -> None:
    """Placed, accepted, picked and shipped, an order is invoiced, captured once, and fulfilled."""
    order = await shop.fulfilled()

    shown = await shop.get(f"/v1/orders/{order}")
    journal = await shop.journal(order)
    assert journal[: len(JOURNAL) - 2] == JOURNAL[:-2]
    # The gateway's webhook may come before its answer.
    assert sorted(journal[-2:]) == sorted(JOURNAL[-2:])
    assert shown["status"] == "fulfilled"


async def test_a_standard_order_costs_what_it_costs(shop: Shop) -> None:
    """16 events, 2 workflow tasks, 4 state transitions, not above 14 KB: one more is a defect or a decision."""
    order = await shop.fulfilled()

    described = (await shop.describe(order)).raw_description.workflow_execution_info
    events = Counter(entry.event_type for entry in (await _history(shop, order)).events)
    tasks = events[EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED]
    measured = (described.history_length, tasks, described.state_transition_count, described.history_size_bytes)
    assert measured[:3] == (16, 2, 4), measured
    assert measured[3] <= 14_000, measured
    assert events[EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED] == 0


async def test_an_order_enters_the_list_of_workflows_once(shop: Shop) -> None:
    """The server has nothing to add to what its list says of builds from the start: it would enter the order again."""
    order = await shop.fulfilled()

    described = await shop.describe(order)
    told = noted(shop.stack.settings)[BUILD_IDS]
    assert (described.typed_search_attributes[BUILD_IDS], len(told)) == (told, 2)


async def test_a_header_is_told_once(shop: Shop) -> None:
    """Of an order's header, history holds all fields once, and then those that change."""
    order = await shop.fulfilled()

    history = b"".join(event.SerializeToString() for event in (await _history(shop, order)).events)
    shown = await shop.get(f"/v1/orders/{order}")
    assert [history.count(name) for name in (b'"life_cycle":', b'"policy":', b'"routing":')] == [1, 1, 2]
    assert (shown["status"], history.count(b'"status":"fulfilled"')) == ("fulfilled", 1)


async def test_a_standard_order_takes_so_many_statements(shop: Shop) -> None:
    """Its worker sends PostgreSQL 19 statements, beside those that begin and end its 5 transactions."""
    await shop.fulfilled()  # what is read once a process, such as bodies of flows, has been read
    by_workflow = defaultdict[str | None, list[str]](list)

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if activity.in_activity():
            by_workflow[activity.info().workflow_id].append(statement)

    event.listen(shop.stack.engine.sync_engine, "before_cursor_execute", note)
    try:
        order = await shop.fulfilled()
    finally:
        event.remove(shop.stack.engine.sync_engine, "before_cursor_execute", note)

    sent = by_workflow[workflow_id(order)]
    locks = [one for one in sent if "FOR NO KEY UPDATE OF o" in one]
    assert (len(locks), len(sent)) == (5, 19), "\n".join(sent)


def _read_through(plan: dict[str, Any]) -> Iterator[str]:
    """Tell the tables and indexes that *plan* reads from beginning to end."""
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    if "Index" in plan["Node Type"] and "Index Cond" not in plan:
        yield plan["Index Name"]
    for part in plan.get("Plans", ()):
        yield from _read_through(part)


async def _planned(shop: Shop, statement: str) -> dict[str, Any]:
    """Return the plan that a connection makes of *statement*, whatever its parameters."""
    count = len(set(re.findall(r"\$\d+", statement)))
    values = f"({', '.join(['NULL'] * count)})" if count else ""
    async with shop.stack.engine.connect() as conn:
        await conn.exec_driver_sql(f"PREPARE noted AS {statement}")
        plan = (await conn.exec_driver_sql(f"EXPLAIN (FORMAT JSON) EXECUTE noted{values}")).scalar_one()
        await conn.exec_driver_sql("DEALLOCATE noted")
    return plan[0]["Plan"]


async def test_a_standard_order_reads_no_table_through(shop: Shop) -> None:
    """
    Planned when there is one order, each statement of worker, API and relay looks rows up by an index.

    A connection keeps its plans: what reads a table, or an index, through costs more with every order that follows.
    Only the relay looks through what is under way (`PASSING`).
    """
    sent = set[str]()

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.add(statement)

    event.listen(shop.stack.engine.sync_engine, "before_cursor_execute", note)
    try:
        await shop.fulfilled()
    finally:
        event.remove(shop.stack.engine.sync_engine, "before_cursor_execute", note)

    read = {statement: sorted(_read_through(await _planned(shop, statement))) for statement in sent}
    assert {statement: through for statement, through in read.items() if not PASSING.issuperset(through)} == {}


async def test_no_personal_data_is_in_the_history(shop: Shop) -> None:
    """What a customer is called and where they live never enters Temporal."""
    order = await shop.fulfilled()

    assert secrets_in(await _history(shop, order)) == []
