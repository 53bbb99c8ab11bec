"""Recording: what came in is journaled once, refused for a reason, or noted as unexpected."""

import asyncio

import pytest
from sqlalchemy import insert, update

from activities.park import park, rebuild
from activities.record import WorkflowWanted, record_delivery
from orderloom.contracts.messages import Delivery, FlowFinished, Park, Rebuild, ReleasePin
from orderloom.contracts.moving import RELEASE_REQUESTED
from orderloom.persistence.tables.intake import intake
from orderloom.persistence.tables.orders import flow_instances
from orderloom.persistence.vault import DEPLOYMENT


async def test_an_order_is_placed_with_all_of_its_books(bench) -> None:
    """Row, lines, units and money are written in one transaction; the header tells of them."""
    await bench.load({"A": {"X": 10}})
    body = bench.body({"X": 3})
    taken = await bench.submit("order.placed", body)

    recorded = await bench.record(taken, "order.placed")

    header = recorded.applied.order
    assert (recorded.receipt.status, recorded.receipt.seq) == ("accepted", 1)
    assert (header["status"], header["seq"]) == ("waiting", 1)
    assert header["units"]["open"] == 3
    assert header["money"]["grand_total"] == 3300
    assert (header["money"]["ordered"], header["money"]["authorised"], header["money"]["to_authorize"]) == (
        3300,
        3300,
        0,
    )
    assert header["policy"]["remorse"] == "PT0S"
    assert [event.data for event in recorded.applied.events] == [{"channel": "web", "external_id": body["external_id"]}]
    assert await bench.rows("SELECT sum(quantity), sum(amount), sum(tax) FROM unit_entries") == [(0, 0, 0)]
    assert await bench.rows("SELECT sum(amount) FROM money_entries") == [(0,)]


async def test_a_delivery_again_gets_the_same_receipt(bench) -> None:
    """A relay, a client and a worker may all deliver the same row; it is recorded once."""
    await bench.load({"A": {"X": 10}})
    taken = await bench.submit("order.placed", bench.body({"X": 3}))

    first = await bench.record(taken, "order.placed")
    second = await bench.record(taken, "order.placed")

    assert second == first
    assert await bench.rows("SELECT count(*) FROM journal") == [(1,)]
    assert await bench.rows("SELECT status, answer FROM intake") == [("accepted", {"status": "accepted", "seq": 1})]


async def test_concurrent_deliveries_record_once(bench) -> None:
    """Of twins that report the same shipment one records it and the others repeat its receipt."""
    await bench.load({"A": {"X": 10}})
    order = await bench.place({"X": 3})
    await bench.act("create-reservation", order)
    await bench.route(order)
    body = {"fulfillment_order": f"{order}-F1", "id": "e1", "type": "shipped"}
    taken = await bench.submit("fulfillment.shipped", body, order_id=order)

    recorded = await asyncio.gather(*(bench.record(taken, "fulfillment.shipped") for _ in range(6)))

    assert len({each.receipt.seq for each in recorded}) == 1
    assert (await bench.journal(order)).count("fulfillment.shipped") == 1


async def test_a_placement_that_cannot_be_is_refused_and_leaves_nothing(bench) -> None:
    """An unknown SKU that slipped in is refused: no order, no units, and the same answer again."""
    await bench.load({"A": {"X": 10}})
    taken = await bench.submit("order.placed", bench.body({"NOPE": 3}))

    first = await bench.record(taken, "order.placed")
    second = await bench.record(taken, "order.placed")

    assert (first.receipt.status, first.applied) == ("refused", None)
    assert [error.pointer for error in first.receipt.problem.errors] == ["/lines/0/sku"]
    assert second.receipt == first.receipt
    assert await bench.rows("SELECT count(*) FROM orders") == [(0,)]
    assert await bench.rows("SELECT status FROM intake") == [("refused",)]


async def test_a_command_whose_precondition_fails_is_refused(bench) -> None:
    """More than there is cannot be cancelled: nothing is journaled, the intake row keeps the problem."""
    await bench.load({"A": {"X": 10}})
    order = await bench.place({"X": 3})

    refused = await bench.send(order, "order.cancel.requested", {"items": [{"line": "L1", "quantity": 4}]})
    accepted = await bench.send(order, "order.cancel.requested", {"items": [{"line": "L1", "quantity": 2}]})

    assert refused.receipt.problem.code == "change.quantity_unavailable"
    assert refused.applied is None
    assert accepted.applied.events[0].data == {"lines": 1}
    assert await bench.journal(order) == ["order.placed", "order.cancel.requested"]


async def test_a_report_that_does_not_fit_is_journaled_as_unexpected(bench) -> None:
    """A location cannot take a no: its report is kept, and changes nothing."""
    await bench.load({"A": {"X": 10}})
    order = await bench.place({"X": 3})
    await bench.act("create-reservation", order)
    await bench.route(order)
    await bench.report(order, 1, "shipped")

    late = await bench.report(order, 1, "picked")
    unknown = await bench.report(order, 7, "picked")
    many = await bench.report(order, 1, "rejected", lines=[{"line": "L1", "quantity": 9}])

    assert [each.receipt.status for each in (late, unknown, many)] == ["accepted"] * 3
    assert late.applied.events[0].data == {
        "type": "fulfillment.picked",
        "fulfillment_order": f"{order}-F1",
        "reason": "picked does not fit status fulfilled",
    }
    assert (await bench.journal(order))[-3:] == ["event.unexpected"] * 3
    assert await bench.rows("SELECT status FROM fulfillment_orders") == [("fulfilled",)]


async def test_earlier_events_are_recorded_first(bench) -> None:
    """A shipment that is delivered before the relay brought *picked* records that too, in the order of coming in."""
    await bench.load({"A": {"X": 10}})
    order = await bench.place({"X": 3})
    await bench.act("create-reservation", order)
    await bench.route(order)
    reports = []
    for type in ("accepted", "picked", "shipped"):
        body = {"fulfillment_order": f"{order}-F1", "id": type, "type": type}
        reports.append(await bench.submit(f"fulfillment.{type}", body, order_id=order))

    shipped = await bench.record(reports[2], "fulfillment.shipped")
    picked = await bench.record(reports[1], "fulfillment.picked")

    assert [event.type for event in shipped.applied.events] == [
        "fulfillment.accepted",
        "fulfillment.picked",
        "fulfillment.shipped",
        "order.fulfilled",
    ]
    assert picked.receipt.seq == shipped.receipt.seq - 1
    assert await bench.rows("SELECT DISTINCT status FROM intake") == [("accepted",)]


async def test_what_is_recorded_already_still_hears_which_flows_ended(bench) -> None:
    """A delivery that was recorded with a later one changes nothing, but the ends of flows that it brings are kept."""
    await bench.load({"A": {"X": 10}})
    order = await bench.place({"X": 1})
    first = await bench.submit("payment.updated", {"n": 1}, order_id=order)
    second = await bench.submit("payment.updated", {"n": 2}, order_id=order)
    await bench.record(second, "payment.updated")
    async with bench.engine.begin() as conn:
        values = {"order_id": order, "instance": "e@f", "flow": "f", "seq": 1, "status": "running"}
        await conn.execute(insert(flow_instances).values(**values))
    context = bench.context(order).model_copy(update={"finished": [FlowFinished(instance="e@f", outcome="completed")]})
    delivery = Delivery(intake_id=first.intake_id, type="payment.updated")

    recorded = await record_delivery(bench.engine, bench.vault, context, delivery)

    assert recorded.receipt.status == "accepted"
    assert await bench.rows("SELECT instance, status FROM flow_instances") == [("e@f", "completed")]


async def test_the_relay_records_what_nobody_waits_for(bench) -> None:
    """An unwanted event is recorded without the workflow; one that a flow subscribes to is not."""
    await bench.load({"A": {"X": 10}})
    async with bench.engine.begin() as conn:
        await conn.exec_driver_sql(
            "INSERT INTO flows (hash, name, version, document, body, published_at) "
            "VALUES ('h1', 'one', '1.0.0', '{}', '\\x01', now())"
        )
    bench.pin = ReleasePin(release="r1", subscriptions={"fulfillment.shipped": ["h1"]})
    order = await bench.place({"X": 3})
    await bench.act("create-reservation", order)
    await bench.route(order)

    picked = await bench.report(order, 1, "picked", directly=True)
    with pytest.raises(WorkflowWanted):
        await bench.report(order, 1, "shipped", directly=True)

    assert picked.receipt.status == "accepted"
    assert await bench.rows("SELECT status FROM fulfillment_orders") == [("picked",)]
    assert (await bench.journal(order))[-1] == "fulfillment.picked"


async def test_a_parked_order_learns_what_it_missed(bench) -> None:
    """Events of a type that is newly wanted come back, and a closing order stays open for them."""
    await bench.load({"A": {"X": 10}})
    order = await bench.place({"X": 3})
    await bench.act("create-reservation", order)
    await bench.route(order)
    await bench.report(order, 1, "picked", directly=True)
    [(seq,)] = await bench.rows("SELECT seq FROM orders")

    parked = await _park(bench, order, ["fulfillment.picked"], after=seq - 1, closing=True)
    quiet = await _park(bench, order, ["fulfillment.picked"], after=seq, closing=False)
    wanted = await bench.rows("SELECT wanted, next_due_at, closed_at FROM orders")
    closed = await _park(bench, order, [], after=seq, closing=True)

    assert [event.type for event in parked.events] == ["fulfillment.picked"]
    assert (quiet.events, quiet.pending) == ([], False)
    assert wanted == [(["fulfillment.picked"], bench.now, None)]
    assert (closed.events, closed.pending) == ([], False)
    assert await bench.rows("SELECT closed_at, next_due_at FROM orders") == [(bench.now, None)]
    await bench.act("release-reservation", order)
    assert await bench.rows("SELECT closed_at FROM orders") == [(None,)]


async def test_an_undelivered_row_keeps_the_order_open(bench) -> None:
    """What is on its way and wanted is pending."""
    await bench.load({"A": {"X": 10}})
    order = await bench.place({"X": 3})
    await bench.submit("order.routing.requested", {}, order_id=order)

    wanted = await _park(bench, order, ["order.routing.requested"], after=1, closing=True)
    unwanted = await _park(bench, order, [], after=1, closing=True)

    assert (wanted.pending, unwanted.pending) == (True, False)


async def _park(bench, order: str, wanted: list[str], *, after: int, closing: bool):
    request = Park(context=bench.context(order), wanted=wanted, next_due_at=bench.now, after=after, closing=closing)
    return await park(bench.services, request)


async def test_a_revived_order_gets_its_unfinished_events(bench) -> None:
    """Only events whose flows had not finished come back, with the flows' bodies."""
    await bench.load({"A": {"X": 10}})
    async with bench.engine.begin() as conn:
        await conn.exec_driver_sql(
            "INSERT INTO flows (hash, name, version, document, body, published_at) "
            "VALUES ('h1', 'one', '1.0.0', '{}', '\\x01', now())"
        )
    bench.pin = ReleasePin(release="r1", subscriptions={"order.placed": ["h1"], "stock.reserved": ["h1"]})
    order = await bench.place({"X": 3})
    await bench.act("create-reservation", order)
    async with bench.engine.begin() as conn:
        await conn.exec_driver_sql("UPDATE flow_instances SET status = 'completed' WHERE seq = 1")

    rebuilt = await rebuild(bench.services, Rebuild(context=bench.context(order)))

    assert rebuilt.seq == 2
    assert [event.type for event in rebuilt.unfinished] == ["stock.reserved"]
    assert rebuilt.applied.flows == {"h1": "0R"}
    assert rebuilt.applied.order["units"]["reserved"] == 3


async def test_exceptions_are_raised_once_and_resolved(bench) -> None:
    """The same code and attachment is the same exception while it is open; a person's decision resolves it."""
    await bench.load({"A": {"X": 10}})
    order = await bench.place({"X": 3})
    problem = {"category": "Fulfillment", "code": "routing.abandoned"}

    first = await bench.act("raise-exception", order, problem)
    second = await bench.act("raise-exception", order, problem)
    other = await bench.act("raise-exception", order, {**problem, "attached_to": "L1"})
    counted = await bench.act("resolve-exceptions", order, {"code": "none"})
    skipped = await bench.send(
        order, "exception.resolve.requested", {"exception": f"{order}-X1", "kind": "skip", "output": {"a": 1}}
    )
    decided = await bench.send(order, "exception.resolve.requested", {"exception": f"{order}-X1", "kind": "resolved"})
    again = await bench.send(order, "exception.resolve.requested", {"exception": f"{order}-X1", "kind": "retry"})
    rest = await bench.act("resolve-exceptions", order, {"code": "routing.abandoned"})

    assert (first.output, second.output) == ({"exception": f"{order}-X1"}, {"exception": f"{order}-X1"})
    assert other.output == {"exception": f"{order}-X2"}
    assert counted.output == {"count": 0}
    assert (skipped.receipt.status, skipped.receipt.problem.code) == ("refused", "exception.nobody_waits")
    assert decided.applied.events[0].data == {"exception": f"{order}-X1", "kind": "resolved"}
    assert decided.applied.order["exceptions"] == {"open": 1}
    assert (again.receipt.status, again.receipt.problem.code) == ("refused", "exception.closed")
    assert (rest.output, rest.applied.order["exceptions"]) == ({"count": 1}, {"open": 0})
    history = "SELECT exception_id, number, by, changes FROM exception_changes ORDER BY 1"
    resolved = {"status": {"from": "new", "to": "resolved"}}
    assert await bench.rows(history) == [
        (f"{order}-X1", 1, "web", {**resolved, "decided": "resolved"}),
        (f"{order}-X2", 1, "test:1.0.0", resolved),
    ]


async def test_every_journal_is_gap_free(bench) -> None:
    """Numbers run from 1 to the order's last, whoever wrote them."""
    bench.checking = False  # the header of one is not true any more when the next has written
    await bench.load({"A": {"X": 100}})
    order = await bench.place({"X": 3})

    await asyncio.gather(
        *(bench.act("raise-exception", order, {"category": "Payment", "code": f"c{n}"}) for n in range(10))
    )

    assert await bench.rows("SELECT array_agg(seq ORDER BY seq) FROM journal") == [(list(range(1, 12)),)]
    assert await bench.rows("SELECT seq FROM orders") == [(11,)]


async def test_a_webhook_of_another_shape_is_noted_as_unexpected(bench) -> None:
    """It is accepted, moves no money, and nobody tries to read it again."""
    await bench.load({"A": {"X": 10}})
    order = await bench.place({"X": 1})

    recorded = await bench.send(order, "payment.updated", {"n": 1})

    assert (recorded.receipt.status, recorded.receipt.seq) == ("accepted", 2)
    [(type, data)] = await bench.rows("SELECT type, data FROM journal WHERE seq = 2")
    assert (type, data) == ("event.unexpected", {"type": "payment.updated", "reason": "input.invalid"})
    assert await bench.rows("SELECT DISTINCT seq FROM money_entries") == [(1,)]


@pytest.mark.parametrize("contents", [b"\x00 never JSON", b"[1]", b"", b"\xff"])
async def test_contents_that_cannot_be_read_are_noted_as_unexpected(bench, contents: bytes) -> None:
    """The event is accepted, changes nothing, and the order goes on: nobody tries to read it again."""
    await bench.load({"A": {"X": 10}})
    order = await bench.place({"X": 1})
    taken = await bench.submit("fulfillment.shipped", {"n": 1}, order_id=order)
    sealed = await bench.vault.seal(DEPLOYMENT, contents)
    async with bench.engine.begin() as conn:
        values = {"body": sealed, "key_id": DEPLOYMENT}
        await conn.execute(update(intake).where(intake.c.id == taken.intake_id).values(**values))

    recorded = await bench.record(taken, "fulfillment.shipped")

    assert (recorded.receipt.status, recorded.receipt.seq) == ("accepted", 2)
    [(type, data)] = await bench.rows("SELECT type, data FROM journal WHERE seq = 2")
    assert type == "event.unexpected"
    assert data == {"type": "fulfillment.shipped", "reason": "intake.unreadable"}
    assert await bench.rows("SELECT count(*) FROM flow_instances WHERE seq = 2") == [(0,)]


async def test_a_move_is_the_workflows_business(bench) -> None:
    """The relay never records by itself what moves an order: only the workflow knows where its flows stand."""
    await bench.load({"A": {"X": 10}})
    order = await bench.place({"X": 3})
    before = await bench.journal(order)

    with pytest.raises(WorkflowWanted):
        await bench.send(order, RELEASE_REQUESTED, {"release": "r2"}, directly=True)

    assert await bench.journal(order) == before
