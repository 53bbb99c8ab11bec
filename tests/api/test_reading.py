"""Reading: orders with everything that belongs to them, lists by keyset, previews that write nothing."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.bootstrap.database import create_engine
from orderloom.bootstrap.embedded_postgres import EmbeddedPostgres
from orderloom.readmodels.order_list import OrderFilter, orders_page
from orderloom.readmodels.order_view import order_view
from orderloom.readmodels.snapshot import snapshot
from tests.api.books import ALLOCATED, CANCELLED, RESERVED, SHIPPED, write_books
from tests.api.conftest import count, seed


@pytest.fixture(scope="module")
async def books(postgres: EmbeddedPostgres, database_template: str) -> AsyncIterator[AsyncEngine]:
    """Return an engine on a database with four orders, which these tests only read."""
    engine = create_engine(await postgres.ensure_database("books", template=database_template))
    await seed(engine)
    await write_books(engine)
    yield engine
    await engine.dispose()
    await postgres.drop_database("books")


@pytest.fixture
def seeded(books: AsyncEngine) -> AsyncEngine:
    """Let the API read the books."""
    return books


def euros(amount: int) -> dict[str, Any]:
    """Return *amount* as the API shows it."""
    return {"amount": amount, "currency": "EUR"}


async def test_order_with_everything(http: httpx.AsyncClient, books: AsyncEngine) -> None:
    """A shipped, partly returned order shows quantities, statuses, totals, money and documents to the cent."""
    order = (await http.get(f"/v1/orders/{SHIPPED}")).json()

    item = order["items"][0]
    payment = order["payments"][0]
    assert order["status"] == "fulfilled"
    assert item["status"] == "fulfilled"
    assert item["quantities"] == {
        "ordered": 2,
        "reserved": 0,
        "cancelled": 0,
        "allocated": 2,
        "fulfilled": 2,
        "return_initiated": 1,
        "returned": 1,
        "quantity": 1,
        "net_ordered": 2,
        "available_to_cancel": 0,
        "available_to_fulfill": 0,
        "available_to_return": 1,
    }
    assert order["totals"]["total_amount"] == euros(2250)
    assert order["totals"]["total_tax_amount"] == euros(225)
    assert order["totals"]["grand_total_amount"] == euros(2475)
    assert (payment["captured"], payment["refunded"]) == (euros(4950), euros(2475))
    assert payment["available_to_refund"] == euros(2475)
    assert [intent["operation"] for intent in payment["intents"]] == ["capture", "refund"]
    assert [(each["id"], each["total"], each["balance"]) for each in order["invoices"]] == [
        (f"{SHIPPED}-I1", euros(4950), euros(0))
    ]
    assert [(each["id"], each["total"]) for each in order["credit_memos"]] == [(f"{SHIPPED}-M1", euros(2475))]
    assert [(each["kind"], each["lines"][0]["quantity"]) for each in order["change_orders"]] == [("return", 1)]
    assert [(each["id"], each["status"], each["location"]) for each in order["fulfillment_orders"]] == [
        (f"{SHIPPED}-F1", "fulfilled", "BER")
    ]
    assert order["fulfillment_orders"][0]["lines"][0]["quantity"] == 2


@pytest.mark.parametrize(
    ("order", "allowed"),
    [
        pytest.param(SHIPPED, ["return-items"], id="shipped"),
        pytest.param(RESERVED, ["cancel-items", "route"], id="reserved"),
        pytest.param(ALLOCATED, ["cancel-items"], id="allocated"),
        pytest.param(CANCELLED, [], id="cancelled"),
    ],
)
async def test_allowed_actions(http: httpx.AsyncClient, books: AsyncEngine, order: str, allowed: list[str]) -> None:
    """An order says what can be done with it now, and why not what cannot."""
    actions = (await http.get(f"/v1/orders/{order}")).json()["allowed_actions"]

    assert [action["action"] for action in actions] == ["cancel-items", "return-items", "route"]
    assert [action["action"] for action in actions if action["allowed"]] == allowed
    assert all((action["reason"] is None) == action["allowed"] for action in actions)


async def test_waiting_order_shows_why(http: httpx.AsyncClient, books: AsyncEngine) -> None:
    """An order that waits for routing shows its schedules, attempts and open exceptions."""
    order = (await http.get(f"/v1/orders/{RESERVED}")).json()

    assert order["status"] == "waiting"
    assert [(each["number"], each["status"]) for each in order["routing_schedules"]] == [
        (1, "completed"),
        (2, "scheduled"),
    ]
    assert [each["outcome"] for each in order["routing_attempts"]] == ["SPLIT_LIMIT"]
    assert [each["code"] for each in order["exceptions"]] == ["routing.late"]
    assert order["items"][0]["quantities"]["reserved"] == 1


@contextmanager
def counted(engine: AsyncEngine) -> Iterator[list[str]]:
    """Collect the statements that are sent meanwhile."""
    statements: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine.sync_engine, "before_cursor_execute", note)


async def test_order_view_takes_as_many_statements_whatever_the_order(books: AsyncEngine) -> None:
    """Reading an order costs a fixed number of statements: 16, with documents and shipments or without."""
    sent: list[int] = []
    for order in (SHIPPED, RESERVED, ALLOCATED, CANCELLED):
        async with snapshot(books) as conn:
            with counted(books) as statements:
                await order_view(conn, order)
            sent.append(len(statements))

    assert len(set(sent)) == 1, sent
    assert sent[0] == 16


async def test_list_takes_two_statements(books: AsyncEngine) -> None:
    """A page of orders costs two statements, however many orders it has."""
    async with snapshot(books) as conn:
        with counted(books) as statements:
            rows = await orders_page(conn, OrderFilter(), after=None, limit=50)

    assert len(rows) == 4
    assert len(statements) == 2


async def test_orders_by_keyset(http: httpx.AsyncClient, books: AsyncEngine) -> None:
    """Pages of orders follow each other, the newest first, without a gap or a repetition."""
    seen: list[str] = []
    path: str | None = "/v1/orders?limit=3"
    while path:
        page = (await http.get(path)).json()
        seen += [order["id"] for order in page["items"]]
        path = page["next"]

    assert seen == [CANCELLED, ALLOCATED, RESERVED, SHIPPED]
    summary = (await http.get("/v1/orders?channel=web&external_id=W-100001")).json()["items"]
    assert [(each["id"], each["status"], each["grand_total"]) for each in summary] == [
        (SHIPPED, "fulfilled", euros(2475))
    ]


async def test_journal_by_keyset(http: httpx.AsyncClient, books: AsyncEngine) -> None:
    """The journal is read page by page, in sequence."""
    first = (await http.get(f"/v1/orders/{SHIPPED}/journal?limit=5")).json()
    second = (await http.get(first["next"])).json()

    assert [entry["seq"] for entry in first["items"]] == [1, 2, 3, 4, 5]
    assert [entry["seq"] for entry in second["items"]] == [6, 7, 8, 9]
    assert second["next"] is None


@pytest.mark.parametrize(
    "path",
    [
        f"/v1/orders/{SHIPPED}/journal?after={10**19}",
        f"/v1/orders/{SHIPPED}/routing-attempts?after={2**31}",
        f"/v1/orders/{SHIPPED}/routing-attempts/{2**31}",
        f"/v1/routing-schedules?after={SHIPPED}:{10**10}",
        "/v1/routing-schedules?after=nowhere",
    ],
)
async def test_a_number_that_nothing_can_have_is_refused(
    http: httpx.AsyncClient, books: AsyncEngine, path: str
) -> None:
    """A number beyond what PostgreSQL can hold is the asker's mistake and not a failure of ours."""
    answer = await http.get(path)

    assert (answer.status_code, answer.json()["code"]) == (422, "input.invalid")


async def test_fulfillment_orders_of_a_location(http: httpx.AsyncClient, books: AsyncEngine) -> None:
    """A location sees what it has to do; what is finished it sees when it asks for it."""
    open_ = (await http.get("/v1/fulfillment-orders?location=PAR")).json()["items"]
    none = (await http.get("/v1/fulfillment-orders?location=BER")).json()["items"]
    done = (await http.get("/v1/fulfillment-orders?location=BER&status=fulfilled")).json()["items"]

    assert [(each["id"], each["status"], each["lines"][0]["quantity"]) for each in open_] == [
        (f"{ALLOCATED}-F1", "accepted", 3)
    ]
    assert none == []
    assert [each["id"] for each in done] == [f"{SHIPPED}-F1"]


async def test_open_exceptions(http: httpx.AsyncClient, books: AsyncEngine) -> None:
    """The open process exceptions of all orders are listed with what they are about."""
    page = (await http.get("/v1/exceptions?limit=1")).json()
    rest = (await http.get(page["next"])).json()

    assert [(each["id"], each["order"], each["status"]) for each in page["items"]] == [
        (f"{RESERVED}-X1", RESERVED, "new")
    ]
    assert rest == {"items": [], "next": None}


async def test_stock(http: httpx.AsyncClient, books: AsyncEngine) -> None:
    """Stock shows counters and what may be promised, by location and by group."""
    places = (await http.get("/v1/stock?sku=MUG-BLUE&limit=1")).json()
    more = (await http.get(places["next"])).json()
    group = (await http.get("/v1/stock/groups?sku=MUG-BLUE")).json()["items"][0]

    assert [(row["place"], row["available_to_fulfill"]) for row in places["items"] + more["items"]] == [
        ("BER", 9),
        ("PAR", 2),
    ]
    assert (group["place"], group["on_hand"], group["reserved"], group["available_to_order"]) == ("EU", 15, 4, 10)


async def test_cancel_preview_gives_the_cents_and_writes_nothing(http: httpx.AsyncClient, books: AsyncEngine) -> None:
    """A preview of a cancellation says what would go down and what a location gives back; nothing changes."""
    tables = ("intake", "journal", "unit_entries", "money_entries", "change_orders")
    before = await count(books, *tables)
    body = {"items": [{"line": "1", "quantity": 2}]}

    preview = (await http.post(f"/v1/orders/{ALLOCATED}/cancel-items/preview", json=body)).json()

    assert preview["balances"]["grand_total_amount"] == euros(5500)
    assert preview["balances"]["total_tax_amount"] == euros(500)
    assert preview["give_back"] == [{"fulfillment_order": f"{ALLOCATED}-F1", "line": "1", "quantity": 2}]
    assert await count(books, *tables) == before


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        pytest.param(
            f"/v1/orders/{ALLOCATED}/cancel-items/preview",
            {"items": [{"line": "1", "quantity": 1}], "allocated": "refuse"},
            "change.quantity_unavailable",
            id="allocated and refused",
        ),
        pytest.param(
            f"/v1/orders/{SHIPPED}/return-items/preview",
            {"items": [{"line": "1", "quantity": 2, "reason": "damaged"}]},
            "change.quantity_unavailable",
            id="more than is left to return",
        ),
        pytest.param(
            f"/v1/orders/{SHIPPED}/return-items/preview",
            {"items": [{"line": "9", "quantity": 1, "reason": "damaged"}]},
            "change.refused",
            id="no such line",
        ),
    ],
)
async def test_preview_refuses_as_the_change_would(
    http: httpx.AsyncClient, books: AsyncEngine, path: str, body: dict[str, Any], code: str
) -> None:
    """A preview of a change that would be refused is refused in the same way."""
    answer = await http.post(path, json=body)

    assert (answer.status_code, answer.json()["code"]) == (409, code)


async def test_health(http: httpx.AsyncClient, workflows_ready: list[Exception]) -> None:
    """The service says that it lives, and names what is missing when it cannot work."""
    live = await http.get("/health/live")
    ready = await http.get("/health/ready")
    workflows_ready.append(ConnectionError("refused"))
    missing = await http.get("/health/ready")

    assert (live.status_code, ready.status_code) == (200, 200)
    assert (missing.status_code, missing.json()["code"]) == (503, "service.not_ready")
    assert missing.json()["facts"] == {"missing": "workflows"}
