"""Reservations over HTTP: done once, refused loudly, and availability of much at once in one statement."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from api import examples
from orderloom.inventory.reservations import expire_due
from orderloom.persistence.world import World, load_world
from tests.api.conftest import NOW, count

WORLD = {
    "locations": [{"id": "BERLIN", "country": "DE"}, {"id": "PARIS", "country": "FR"}, {"id": "ROME", "country": "IT"}],
    "groups": [{"id": "EU", "locations": ["BERLIN", "PARIS"]}],
    "stock": [
        {"location": "BERLIN", "sku": "MUG-BLUE", "on_hand": 4, "safety": 1},
        {"location": "PARIS", "sku": "MUG-BLUE", "on_hand": 2, "future": 3},
        {"location": "PARIS", "sku": "MUG-RED", "on_hand": 7},
        {"location": "ROME", "sku": "MUG-BLUE", "on_hand": 9},
    ],
}


@pytest.fixture
async def stocked(seeded: AsyncEngine) -> AsyncEngine:
    """Return the seeded database with three locations, one of them in no group."""
    async with seeded.begin() as conn:
        await load_world(conn, World.model_validate(WORLD), NOW)
    return seeded


async def post(http: httpx.AsyncClient, path: str, body: Any, key: str) -> httpx.Response:
    return await http.post(path, json=body, headers={"Idempotency-Key": key})


async def reserved(engine: AsyncEngine) -> dict[str, int]:
    async with engine.connect() as conn:
        query = "SELECT location_id AS place, reserved FROM stock WHERE sku = 'MUG-BLUE' "
        query += "UNION ALL SELECT group_id, reserved FROM group_stock WHERE sku = 'MUG-BLUE'"
        return {row.place: row.reserved for row in await conn.execute(text(query))}


async def test_examples_do_what_they_say(http: httpx.AsyncClient, stocked: AsyncEngine) -> None:
    """The bodies of the documentation, one after the other, and what is reserved after all of them."""
    made = await post(http, "/v1/reservations", examples.RESERVE, "cart-77/1")
    assert (made.status_code, made.headers["Location"]) == (201, "/v1/reservations/cart-77/1")
    assert made.json()["expires_at"] == "2026-03-01T12:15:00Z"
    steps = (
        ("updates", examples.RESERVE_MORE, "done", {"BERLIN": 0, "PARIS": 0, "ROME": 0, "EU": 3}),
        ("transfers", examples.TRANSFER, "done", {"BERLIN": 2, "PARIS": 0, "ROME": 0, "EU": 3}),
        ("fulfillments", examples.SHIP_RESERVED, "done", {"BERLIN": 1, "PARIS": 0, "ROME": 0, "EU": 2}),
        ("releases", examples.RELEASE, "done", {"BERLIN": 0, "PARIS": 0, "ROME": 0, "EU": 1}),
    )
    for what, body, status, expected in steps:
        answer = await post(http, f"/v1/reservations/cart-77/1/{what}", body, what)
        assert answer.status_code == 200, answer.text
        assert [each["status"] for each in answer.json()["results"]] == [status]
        assert await reserved(stocked) == expected

    view = (await http.get("/v1/reservations/cart-77/1")).json()
    assert {(each["group"] or each["location"], each["status"], each["quantity"]) for each in view["units"]} == {
        ("EU", "active", 1),
        ("EU", "transferred", 2),
        ("BERLIN", "fulfilled", 1),
        ("BERLIN", "released", 1),
    }
    async with stocked.connect() as conn:
        moved = (await conn.execute(text("SELECT location_id, quantity, cause FROM stock_changes ORDER BY id"))).all()
    assert [tuple(row) for row in moved][-1] == ("BERLIN", -1, "cart-77/1")


async def test_asked_twice_is_done_once(http: httpx.AsyncClient, stocked: AsyncEngine) -> None:
    """The same key and body get the same answer; another body is refused, and neither reserves anything."""
    first = await post(http, "/v1/reservations", examples.RESERVE, "k")
    again = await post(http, "/v1/reservations", examples.RESERVE, "k")
    other = await post(http, "/v1/reservations", {**examples.RESERVE, "owner": "other"}, "k")

    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency.key_reused")
    assert (await reserved(stocked))["EU"] == 2
    assert await count(stocked, "reservation_requests", "reservations") == [1, 1]


async def test_refusal_is_remembered_and_changes_nothing(http: httpx.AsyncClient, stocked: AsyncEngine) -> None:
    """What was refused for want of stock is refused again with the same key, even when stock has come since."""
    wanted = {"owner": "o", "records": [{"location": "PARIS", "sku": "MUG-BLUE", "quantity": 3}]}
    refused = await post(http, "/v1/reservations", wanted, "r")
    async with stocked.begin() as conn:
        await load_world(conn, World.model_validate({"stock": [{**WORLD["stock"][1], "on_hand": 50}]}), NOW)
    again = await post(http, "/v1/reservations", wanted, "r")

    assert (refused.status_code, refused.json()["code"]) == (409, "reservation.refused")
    assert refused.json()["facts"]["results"] == [
        {"status": "refused", "quantity": 0, "code": "stock.short", "available": 2}
    ]
    assert again.json() == refused.json()
    assert await count(stocked, "reservation_requests", "reservations") == [0, 0]


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"expires_in": 14_401}, "/expires_in"),
        ({"records": [{"sku": "MUG-BLUE", "quantity": 1}]}, "/records/0"),
        ({"records": [{"group": "EU", "location": "PARIS", "sku": "MUG-BLUE", "quantity": 1}]}, "/records/0"),
        ({"records": [{"group": "EU", "sku": "MUG-BLUE", "quantity": 0}]}, "/records/0/quantity"),
        ({"records": [{"group": "EU", "sku": "MUG-BLUE", "quantity": 1}] * 101}, "/records"),
    ],
)
async def test_invalid_requests_are_refused(
    http: httpx.AsyncClient, stocked: AsyncEngine, changed: dict[str, Any], pointer: str
) -> None:
    """A body that breaks a rule is refused at the field, and nothing is written."""
    answer = await post(http, "/v1/reservations", {**examples.RESERVE, **changed}, "k")

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert await count(stocked, "inventory_requests") == [0]


async def test_expiry_is_met_once_and_not_before(http: httpx.AsyncClient, stocked: AsyncEngine) -> None:
    """A second before its time a reservation is held; at its time it ends, once, and cannot be used any more."""
    longest = {**examples.RESERVE, "expires_in": 14_400}
    assert (await post(http, "/v1/reservations", longest, "k")).status_code == 201
    due = NOW + timedelta(seconds=14_400)

    assert await expire_due(stocked, due - timedelta(seconds=1)) == 0
    assert (await reserved(stocked))["EU"] == 2
    assert await expire_due(stocked, due) == 1
    assert await expire_due(stocked, due) == 0
    assert (await reserved(stocked))["EU"] == 0
    ended = await post(http, "/v1/reservations/k/releases", {}, "late")
    assert (ended.status_code, ended.json()["code"], ended.json()["facts"]["status"]) == (
        409,
        "reservation.ended",
        "expired",
    )


async def test_a_member_cannot_take_what_the_group_has_promised(http: httpx.AsyncClient, stocked: AsyncEngine) -> None:
    """What a group has reserved for itself is kept from reservations at its members, by the channel's promise."""
    group = {"owner": "o", "records": [{"group": "EU", "sku": "MUG-BLUE", "quantity": 7}]}
    assert (await post(http, "/v1/reservations", group, "ato")).status_code == 201
    member = {"owner": "o", "records": [{"location": "PARIS", "sku": "MUG-BLUE", "quantity": 2}]}
    short = await post(http, "/v1/reservations", member, "m")

    assert short.json()["facts"]["results"][0]["available"] == 1
    assert await reserved(stocked) == {"BERLIN": 0, "PARIS": 0, "ROME": 0, "EU": 7}


async def test_availability_by_place_and_by_sku_alone(http: httpx.AsyncClient, stocked: AsyncEngine) -> None:
    """Locations and groups by the formulas with what is on its way; a SKU alone at the locations in no group."""
    at = await http.get("/v1/availability?skus=MUG-BLUE&skus=MUG-RED&locations=BERLIN&locations=PARIS")
    of_group = await http.post("/v1/availability", json=examples.AVAILABILITY)
    alone = await http.get("/v1/availability?skus=MUG-BLUE")

    future = [{"expected_at": None, "quantity": 3}]
    assert [figures(each) for each in at.json()["items"]] == [
        ("BERLIN", "MUG-BLUE", 4, 0, 1, 3, 3, []),
        ("PARIS", "MUG-BLUE", 2, 0, 0, 2, 5, future),
        ("PARIS", "MUG-RED", 7, 0, 0, 7, 7, []),
    ]
    assert [figures(each) for each in of_group.json()["items"]] == [
        ("EU", "MUG-BLUE", 6, 0, 1, 5, 8, future),
        ("EU", "MUG-RED", 7, 0, 0, 7, 7, []),
    ]
    assert [figures(each) for each in alone.json()["items"]] == [("ROME", "MUG-BLUE", 9, 0, 0, 9, 9, [])]
    assert datetime.fromisoformat(alone.json()["effective_at"]) == NOW.astimezone(UTC)


def figures(item: dict[str, Any]) -> tuple[Any, ...]:
    place = item["location"] or item["group"]
    counters = (item["on_hand"], item["reserved"], item["safety"])
    return (
        place,
        item["sku"],
        *counters,
        item["available_to_fulfill"],
        item["available_to_order"],
        item["futures"],
    )


async def test_a_hundred_skus_at_a_hundred_locations_are_one_statement(
    http: httpx.AsyncClient, stocked: AsyncEngine
) -> None:
    """10,000 shelves are answered by one statement; one more SKU or place is refused."""
    skus, places = [f"SKU-{n:03}" for n in range(100)], [f"L-{n:03}" for n in range(100)]
    world = {
        "products": [{"sku": sku} for sku in skus],
        "locations": [{"id": place, "country": "DE"} for place in places],
        "stock": [{"location": place, "sku": sku, "on_hand": 2} for place in places for sku in skus],
    }
    async with stocked.begin() as conn:
        await load_world(conn, World.model_validate(world), NOW)
    statements: list[str] = []

    def note(*given: Any) -> None:
        statements.append(given[2])

    event.listen(stocked.sync_engine, "before_cursor_execute", note)
    answer = await http.post("/v1/availability", json={"skus": skus, "locations": places})
    event.remove(stocked.sync_engine, "before_cursor_execute", note)
    beyond = await http.post("/v1/availability", json={"skus": [*skus, "MORE"], "locations": places})

    assert len(answer.json()["items"]) == 10_000
    assert len(statements) == 1
    assert beyond.status_code == 422


async def test_availability_says_what_a_channel_may_sell_ahead(http: httpx.AsyncClient, stocked: AsyncEngine) -> None:
    """Each SKU tells its policy and what is left of it; without a channel nothing, and an unknown one is refused."""
    policies = [
        {"channel": "web", "sku": "MUG-BLUE", "backorder": True, "limit": 5, "until": "2026-04-01T00:00:00Z"},
        {"sku": "MUG-RED", "release_at": "2026-05-01T00:00:00Z"},
    ]
    async with stocked.begin() as conn:
        await load_world(conn, World.model_validate({"sell_ahead": policies}), NOW)
        await conn.execute(text("INSERT INTO backorders VALUES ('web', 'MUG-BLUE', 2), ('shop', 'MUG-BLUE', 9)"))
    question = {"skus": ["MUG-BLUE", "MUG-RED"], "groups": ["EU"]}

    answer = await http.post("/v1/availability", json={**question, "channel": "web"})
    without = await http.post("/v1/availability", json=question)
    unknown = await http.post("/v1/availability", json={**question, "channel": "nobody"})

    assert {item["sku"]: item["sell_ahead"] for item in answer.json()["items"]} == {
        "MUG-BLUE": {
            "backorder": True,
            "backordered": 2,
            "left": 3,
            "until": "2026-04-01T00:00:00Z",
            "release_at": None,
        },
        "MUG-RED": {
            "backorder": False,
            "backordered": 0,
            "left": 0,
            "until": None,
            "release_at": "2026-05-01T00:00:00Z",
        },
    }
    assert [item["sell_ahead"] for item in without.json()["items"]] == [None, None]
    assert (unknown.status_code, unknown.json()["code"]) == (422, "channel.unknown")
