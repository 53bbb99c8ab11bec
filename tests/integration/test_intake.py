"""Intake: durable, and once."""

import asyncio
from datetime import timedelta

import pytest

from orderloom.contracts.messages import Receipt
from orderloom.domain.errors import NotFound
from orderloom.persistence import intake
from orderloom.persistence.intake import IdempotencyKeyReused, IntakeDuplicate, OrderExists


async def test_the_same_key_and_body_is_a_replay(bench) -> None:
    """The second submission answers with the first one's row and writes none."""
    body = bench.body({"X": 1})

    first = await bench.submit("order.placed", body, idempotency_key="k1", external_id=body["external_id"])
    second = await bench.submit("order.placed", body, idempotency_key="k1", external_id=body["external_id"])

    assert (first.replayed, second.replayed) == (False, True)
    assert (second.intake_id, second.order_id) == (first.intake_id, first.order_id)
    assert await bench.rows("SELECT count(*) FROM intake") == [(1,)]


async def test_order_numbers_count_from_100001(bench) -> None:
    """Orders get short numbers of their own."""
    taken = [await bench.submit("order.placed", bench.body({"X": 1}), idempotency_key=f"k{n}") for n in (1, 2)]

    assert [each.order_id for each in taken] == ["100001", "100002"]


async def test_a_key_with_another_body_is_refused(bench) -> None:
    """A reused key is the sender's fault, and leaves the first row alone."""
    await bench.submit("order.placed", bench.body({"X": 1}), idempotency_key="k1")

    with pytest.raises(IdempotencyKeyReused) as refused:
        await bench.submit("order.placed", bench.body({"X": 2}), idempotency_key="k1")

    assert refused.value.facts == {"key": "k1"}
    assert await bench.rows("SELECT count(*) FROM intake") == [(1,)]


async def test_a_key_for_another_order_is_refused(bench) -> None:
    """The same body for two orders is not the same request."""
    await bench.submit("order.routing.requested", {}, idempotency_key="k1", order_id="100001")

    with pytest.raises(IdempotencyKeyReused):
        await bench.submit("order.routing.requested", {}, idempotency_key="k1", order_id="100002")


async def test_the_same_external_id_and_body_is_a_replay(bench) -> None:
    """A channel that lost its key still places the order once."""
    body = bench.body({"X": 1})
    first = await bench.submit("order.placed", body, idempotency_key="k1", external_id="e1")

    second = await bench.submit("order.placed", body, idempotency_key="k2", external_id="e1")

    assert (second.intake_id, second.replayed) == (first.intake_id, True)


async def test_an_external_id_with_another_body_is_refused(bench) -> None:
    """Orders and events are refused by errors of their own; case matters."""
    first = await bench.submit("order.placed", bench.body({"X": 1}), external_id="e1")
    await bench.submit("fulfillment.picked", {"id": "1"}, external_id="e1", order_id="100001")

    with pytest.raises(OrderExists) as refused:
        await bench.submit("order.placed", bench.body({"X": 2}), external_id="e1")
    with pytest.raises(IntakeDuplicate) as duplicate:
        await bench.submit("fulfillment.picked", {"id": "2"}, external_id="e1", order_id="100001")
    other_case = await bench.submit("order.placed", bench.body({"X": 2}), external_id="E1")

    assert refused.value.facts["order"] == first.order_id
    assert duplicate.value.code == "intake.duplicate"
    assert other_case.order_id != first.order_id


async def test_concurrent_twins_are_one_row(bench) -> None:
    """Of many submissions at once exactly one is taken in; all get the same answer."""
    body = bench.body({"X": 1}, customer={"reference": "c-1", "name": "Ada"})

    taken = await asyncio.gather(
        *(
            bench.submit(
                "order.placed", body, idempotency_key="k1", external_id="e1", person={"reference": "c-1", "name": "Ada"}
            )
            for _ in range(20)
        )
    )

    assert len({each.intake_id for each in taken}) == 1
    assert sorted(each.replayed for each in taken) == [False] + [True] * 19
    assert await bench.rows("SELECT count(*) FROM intake") == [(1,)]


async def test_a_body_is_sealed(bench) -> None:
    """Nothing of a body can be read in the database."""
    body = bench.body({"X": 1}, customer={"name": "Ada Lovelace"})

    await bench.submit("order.placed", body, person=body["customer"])
    [(sealed, key_id)] = await bench.rows("SELECT body, key_id FROM intake")

    assert b"Ada" not in sealed
    assert key_id != "deployment"


async def test_a_body_without_a_person_is_sealed_by_the_deployment(bench) -> None:
    """No key is made where there is nobody to forget."""
    taken = await bench.submit("order.placed", bench.body({"X": 1}), person={})

    assert await bench.rows("SELECT key_id FROM intake WHERE id = :id", id=taken.intake_id) == [("deployment",)]


async def test_the_relay_finds_what_is_due(bench) -> None:
    """Rows come in the order they were taken in; postponed and dead ones wait or stay out."""
    engine = bench.engine
    first, second, third = [
        await bench.submit("order.routing.requested", {}, idempotency_key=f"k{n}", order_id="100001") for n in range(3)
    ]

    await intake.postpone(engine, second.intake_id, bench.now + timedelta(minutes=1))
    await intake.mark(engine, third.intake_id, "dead")
    now = [row.delivery.intake_id for row in await intake.undelivered(engine, bench.now)]
    later = await intake.undelivered(engine, bench.now + timedelta(minutes=1))

    assert now == [first.intake_id]
    assert [(row.delivery.intake_id, row.attempts) for row in later] == [(first.intake_id, 0), (second.intake_id, 1)]
    assert (await intake.status(engine, third.intake_id)).status == "dead"


async def test_a_delivered_row_cannot_be_marked(bench) -> None:
    """What the order's transaction answered stays."""
    await bench.load({"A": {"X": 1}})
    order = await bench.place({"X": 1})
    [(intake_id,)] = await bench.rows("SELECT id FROM intake")

    await intake.mark(bench.engine, intake_id, "dead", Receipt(status="refused"))
    found = await intake.status(bench.engine, intake_id)

    assert (found.order_id, found.status, found.answer) == (order, "accepted", Receipt(status="accepted", seq=1))


async def test_an_unknown_row_is_not_found(bench) -> None:
    """A status of nothing is an error."""
    with pytest.raises(NotFound):
        await intake.status(bench.engine, "nothing")
