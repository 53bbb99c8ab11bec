"""Placing and commanding: durable when it answers, once however often it is asked, and 202 when nobody is there."""

import asyncio
import copy
from unittest.mock import Mock

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from api.examples import CANCEL, PLACE_IN_PARTS, PLACE_ORDER, RESOLVE, RETURN, SHIPPED
from orderloom.contracts.messages import Receipt
from orderloom.domain.changes import QuantityUnavailable
from orderloom.persistence.vault import Vault
from tests.api.books import ALLOCATED as ALLOCATED_ORDER
from tests.api.books import RESERVED as RESERVED_ORDER
from tests.api.books import SHIPPED as SHIPPED_ORDER
from tests.api.books import write_books
from tests.api.conftest import StubDelivery, count
from tests.telemetry import captured_lines

KEY = {"Idempotency-Key": "k1"}


async def test_placed_order_is_answered_with_its_number(
    http: httpx.AsyncClient, seeded: AsyncEngine, delivery: StubDelivery
) -> None:
    """An order that its workflow accepted is answered with 201, its number and where to read it."""
    answer = await http.post("/v1/orders", json=PLACE_ORDER, headers=KEY)

    body = answer.json()
    intake = delivery.delivered[0]
    assert answer.status_code == 201, body
    assert body == {
        "id": "100001",
        "number": "100001",
        "status": "accepted",
        "receipt": {"status": "accepted", "seq": 1, "problem": None},
        "links": {
            "self": "/v1/orders/100001",
            "journal": "/v1/orders/100001/journal",
            "intake": f"/v1/intake/{intake}",
        },
    }
    assert answer.headers["location"] == "/v1/orders/100001"
    assert "idempotent-replayed" not in answer.headers
    assert await count(seeded, "intake", "orders") == [1, 0]


async def test_an_order_in_parts_is_accepted_where_its_pickup_is_offered(
    http: httpx.AsyncClient, seeded: AsyncEngine
) -> None:
    """A delivery group may be fetched at a location of the channel's group that offers it, and nowhere else."""
    await write_books(seeded)
    before = await http.post("/v1/orders", json=PLACE_IN_PARTS, headers=KEY)
    async with seeded.begin() as conn:
        await conn.execute(text("""UPDATE locations SET traits = '{"pickup": true}' WHERE id = 'BER'"""))

    offered = await http.post("/v1/orders", json=PLACE_IN_PARTS, headers={"Idempotency-Key": "k2"})
    async with seeded.begin() as conn:
        await conn.execute(text("DELETE FROM location_group_members WHERE location_id = 'BER'"))
    outside = await http.post("/v1/orders", json=PLACE_IN_PARTS, headers={"Idempotency-Key": "k3"})

    refused = {"pointer": "/delivery_groups/1/pickup_location", "code": "delivery_group.pickup_unavailable"}
    assert offered.status_code == 201, offered.text
    for answer in (before, outside):
        (error,) = answer.json()["errors"]
        assert (answer.status_code, {name: error[name] for name in refused}) == (422, refused)
    assert await count(seeded, "intake") == [1]


async def test_two_thousand_lines_are_accepted(http: httpx.AsyncClient, seeded: AsyncEngine) -> None:
    """An order of 2,000 lines is not too large."""
    line = {"sku": "MUG-BLUE", "quantity": 1, "unit_price": {"amount": 2500, "currency": "EUR"}}
    body = {**PLACE_ORDER, "lines": [{**line, "id": str(number)} for number in range(2000)]}

    answer = await http.post("/v1/orders", json=body, headers=KEY)

    assert answer.status_code == 201, answer.text
    assert await count(seeded, "intake") == [1]


async def test_intake_holds_the_order_sealed(http: httpx.AsyncClient, seeded: AsyncEngine) -> None:
    """What was placed stands in intake, readable with the vault only."""
    await http.post("/v1/orders", json=PLACE_ORDER, headers=KEY)

    async with seeded.connect() as conn:
        row = (await conn.execute(text("SELECT type, source, external_id, key_id, body FROM intake"))).one()
    opened = await Vault(seeded, bytes(32)).open(row.key_id, row.body)
    assert (row.type, row.source, row.external_id) == ("order.placed", "web", "W-1001")
    assert b"ada@example.org" in opened
    assert b"ada@example.org" not in row.body
    assert row.key_id != "deployment"


async def test_same_key_same_body_same_bytes(
    http: httpx.AsyncClient, seeded: AsyncEngine, delivery: StubDelivery
) -> None:
    """A repeated request gets the first answer byte for byte, and has no second effect."""
    first = await http.post("/v1/orders", json=PLACE_ORDER, headers=KEY)

    again = await http.post("/v1/orders", json=PLACE_ORDER, headers=KEY)

    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotent-replayed"] == "true"
    assert len(delivery.delivered) == 1
    assert await count(seeded, "intake") == [1]


async def test_concurrent_twins_are_one_order(http: httpx.AsyncClient, seeded: AsyncEngine) -> None:
    """Ten equal requests at once are one intake row, one number and one answer."""
    answers = await asyncio.gather(*(http.post("/v1/orders", json=PLACE_ORDER, headers=KEY) for _ in range(10)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    assert await count(seeded, "intake") == [1]


async def test_same_key_other_body_is_refused(http: httpx.AsyncClient, seeded: AsyncEngine) -> None:
    """A key that comes with another body is refused, and nothing is taken in."""
    await http.post("/v1/orders", json=PLACE_ORDER, headers=KEY)
    other = {**PLACE_ORDER, "external_id": "W-1002"}

    answer = await http.post("/v1/orders", json=other, headers=KEY)

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency.key_reused")
    assert await count(seeded, "intake") == [1]


async def test_same_external_id_other_body_is_refused(http: httpx.AsyncClient, seeded: AsyncEngine) -> None:
    """The channel's number of an order belongs to one order; another body under it names the order that has it."""
    await http.post("/v1/orders", json=PLACE_ORDER, headers=KEY)
    other = copy.deepcopy(PLACE_ORDER) | {"life_cycle": "unmanaged"}

    answer = await http.post("/v1/orders", json=other, headers={"Idempotency-Key": "k2"})

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "order.exists")
    assert problem["facts"]["order"] == "100001"
    assert await count(seeded, "intake") == [1]


@pytest.mark.parametrize("failure", [None, ConnectionError("no Temporal")], ids=["nobody answers", "no Temporal"])
async def test_no_worker_means_202_and_nothing_lost(
    http: httpx.AsyncClient, delivery: StubDelivery, failure: Exception | None
) -> None:
    """Without a worker the caller gets 202 and a resource that later tells the outcome; a repetition then gets 201."""
    delivery.receipt, delivery.failure = None, failure

    pending = await http.post("/v1/orders", json=PLACE_ORDER, headers=KEY)

    assert pending.status_code == 202, pending.text
    intake = pending.headers["location"]
    assert intake == f"/v1/intake/{delivery.delivered[0]}"
    status = (await http.get(intake)).json()
    assert status == pending.json()
    assert (status["status"], status["order"], status["type"]) == ("received", "100001", "order.placed")

    delivery.receipt, delivery.failure = Receipt(status="accepted", seq=1), None
    placed = await http.post("/v1/orders", json=PLACE_ORDER, headers=KEY)

    assert (placed.status_code, placed.json()["id"]) == (201, "100001")
    assert (await http.get(intake)).json()["status"] == "accepted"


async def test_refusal_by_the_order_keeps_its_status_and_bytes(
    http: httpx.AsyncClient, seeded: AsyncEngine, delivery: StubDelivery
) -> None:
    """A command that the order's precondition refuses answers with that problem, every time the same."""
    await write_books(seeded)
    refused = QuantityUnavailable("line 1 has 0 available, 9 were asked for", line="1", available=0, asked=9)
    delivery.receipt = Receipt(status="refused", problem=refused.problem())
    path = f"/v1/orders/{RESERVED_ORDER}/cancel-items"

    first = await http.post(path, json=CANCEL, headers=KEY)
    again = await http.post(path, json=CANCEL, headers=KEY)

    problem = first.json()
    assert (first.status_code, problem["code"]) == (409, "change.quantity_unavailable")
    assert first.headers["content-type"] == "application/problem+json"
    assert problem["facts"] == {"line": "1", "available": 0, "asked": 9}
    assert problem["instance"] == path
    assert again.content == first.content
    assert len(delivery.delivered) == 1


@pytest.mark.parametrize(
    ("path", "body", "type"),
    [
        pytest.param(f"/v1/orders/{RESERVED_ORDER}/cancel-items", CANCEL, "order.cancel.requested", id="cancel"),
        pytest.param(f"/v1/orders/{SHIPPED_ORDER}/return-items", RETURN, "order.return.requested", id="return"),
        pytest.param(f"/v1/orders/{RESERVED_ORDER}/route", None, "order.routing.requested", id="route"),
        pytest.param(
            f"/v1/exceptions/{RESERVED_ORDER}-X1/resolve", RESOLVE, "exception.resolve.requested", id="resolve"
        ),
    ],
)
async def test_command_is_taken_in_and_answered(  # noqa: PLR0917  # fixtures and one case
    http: httpx.AsyncClient, seeded: AsyncEngine, delivery: StubDelivery, path: str, body: object, type: str
) -> None:
    """A command of an order becomes an intake row of its event type, and the receipt is the answer."""
    await write_books(seeded)

    answer = await http.post(path, json=body, headers=KEY) if body else await http.post(path, headers=KEY)

    assert answer.status_code == 200, answer.text
    assert answer.json()["receipt"] == {"status": "accepted", "seq": 1, "problem": None}
    async with seeded.connect() as conn:
        rows = (await conn.execute(text("SELECT id, type, kind, order_id FROM intake"))).all()
    assert [(row.type, row.kind, row.order_id) for row in rows] == [(type, "command", answer.json()["order"])]
    assert delivery.delivered == [rows[0].id]


async def test_one_key_for_two_orders_is_refused(http: httpx.AsyncClient, seeded: AsyncEngine) -> None:
    """The same key and body for another order is another request: refused, not answered with the first's answer."""
    await write_books(seeded)
    await http.post(f"/v1/orders/{RESERVED_ORDER}/cancel-items", json=CANCEL, headers=KEY)

    answer = await http.post(f"/v1/orders/{ALLOCATED_ORDER}/cancel-items", json=CANCEL, headers=KEY)

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency.key_reused")


@pytest.mark.parametrize(
    ("type", "delivered"),
    [pytest.param("shipped", 1, id="wanted"), pytest.param("picked", 0, id="left to the relay")],
)
async def test_location_event_is_taken_in_once(
    http: httpx.AsyncClient, seeded: AsyncEngine, delivery: StubDelivery, type: str, delivered: int
) -> None:
    """An event of a location answers 202, the same again the same; a wanted one is delivered at once, once."""
    await write_books(seeded)
    path = f"/v1/fulfillment-orders/{ALLOCATED_ORDER}-F1/events"
    body = {**SHIPPED, "type": type}

    first = await http.post(path, json=body)
    again = await http.post(path, json=body)

    assert (first.status_code, again.status_code) == (202, 202)
    assert first.content == again.content
    assert first.json()["order"] == ALLOCATED_ORDER
    assert len(delivery.delivered) == delivered
    async with seeded.connect() as conn:
        rows = (await conn.execute(text("SELECT type, kind, source, external_id FROM intake"))).all()
    assert [tuple(row) for row in rows] == [(f"fulfillment.{type}", "event", "PAR", "WH-88-3")]


async def test_failed_delivery_of_an_event_is_left_to_the_relay(
    http: httpx.AsyncClient, seeded: AsyncEngine, delivery: StubDelivery
) -> None:
    """When the workflow cannot be reached the location still gets its 202."""
    await write_books(seeded)
    delivery.failure = ConnectionError("no Temporal")

    answer = await http.post(f"/v1/fulfillment-orders/{ALLOCATED_ORDER}-F1/events", json=SHIPPED)

    assert answer.status_code == 202
    assert len(delivery.delivered) == 1


async def test_gateway_webhook_finds_its_order(http: httpx.AsyncClient, seeded: AsyncEngine) -> None:
    """A webhook goes to the order of its intent; of another gateway's or an unknown intent it is a 404."""
    await write_books(seeded)
    notice = {
        "event_id": "evt-1",
        "intent_id": f"{SHIPPED_ORDER}-T1",
        "operation": "capture",
        "outcome": "succeeded",
        "amount": 4950,
        "currency": "EUR",
    }

    taken = await http.post("/v1/gateways/sandbox/webhooks", json=notice)
    again = await http.post("/v1/gateways/sandbox/webhooks", json=notice)
    other = await http.post("/v1/gateways/elsewhere/webhooks", json=notice)

    assert (taken.status_code, taken.json()["order"]) == (202, SHIPPED_ORDER)
    assert again.content == taken.content
    assert (other.status_code, other.json()["code"]) == (404, "payment_intent.unknown")
    assert await count(seeded, "intake") == [1]


async def test_unexpected_error_is_a_problem_that_tells_nothing(http: httpx.AsyncClient, seeded: AsyncEngine) -> None:
    """What nobody expected is answered as a problem too, without what went wrong inside."""
    async with seeded.begin() as conn:
        await conn.execute(text("ALTER TABLE intake RENAME TO gone"))

    answer = await http.get("/v1/intake/x")

    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "gone" not in answer.text
    assert "SELECT" not in answer.text


@pytest.mark.parametrize(
    "path",
    ["/v1/orders/100001", "/v1/orders/100001/journal", "/v1/fulfillment-orders/100001-F1", "/v1/exceptions/100001-X1"],
)
async def test_unexpected_error_about_an_order_is_logged_with_its_number(
    http: httpx.AsyncClient, seeded: AsyncEngine, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """The line for the operators names the order that the path leads to, however it leads there."""
    with captured_lines() as lines:
        monkeypatch.setattr(type(seeded.sync_engine), "connect", Mock(side_effect=RuntimeError("lost")))
        answer = await http.get(path)

    (line,) = lines.read_all()
    assert answer.status_code == 500
    assert (line["event"], line["order"], line["path"]) == ("api.unexpected", "100001", path)
