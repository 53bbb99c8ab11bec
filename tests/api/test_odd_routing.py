"""Odd questions about routing are refused by name, with a remedy, and change nothing."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.bootstrap.database import create_engine
from orderloom.bootstrap.embedded_postgres import EmbeddedPostgres
from tests.api.books import ALLOCATED, CANCELLED, RESERVED, SHIPPED, write_books
from tests.api.conftest import StubDelivery, always_ready, client, count, seed

TABLES = ("intake", "journal", "routing_schedules", "routing_attempts", "stock_waits", "proposals", "stock_changes")
ORDER = f"/v1/orders/{RESERVED}"
PREVIEW = f"{ORDER}/routing-preview"
SCHEDULE = f"{ORDER}/routing-schedules/2"
INVALID = (422, "input.invalid")


@pytest.fixture(scope="module")
async def books(postgres: EmbeddedPostgres, database_template: str) -> AsyncIterator[AsyncEngine]:
    """Return an engine on books of four orders, which no test here changes."""
    engine = create_engine(await postgres.ensure_database("api_odd", template=database_template))
    await seed(engine)
    await write_books(engine)
    yield engine
    await engine.dispose()
    await postgres.drop_database("api_odd")


@pytest.fixture
async def http(books: AsyncEngine) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of an API over the books."""
    async with client(books, StubDelivery(books), always_ready) as http:
        yield http


async def asked(http: httpx.AsyncClient, method: str, path: str, body: Any = None) -> httpx.Response:
    """Return the answer to a request with a JSON body, or with none."""
    content = b"" if body is None else json.dumps(body).encode()
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    return await http.request(method, path, content=content, headers=headers)


NUMBERS: tuple[Any, ...] = (0, -1, 2**31, 2**63 - 1, 10**30, True, "1", 1.5, [])
BODIES: list[Any] = [
    *(({"attempt": number}, *INVALID, "/attempt") for number in NUMBERS),
    *(({"trade_off": number}, *INVALID, "/trade_off") for number in (*NUMBERS[1:], 11)),
    *(({"stock": {"BER": {"MUG-BLUE": n}}}, *INVALID, "/stock/BER/MUG-BLUE") for n in (-1, 2**31, 2**63, True, None)),
    ({"stock": {"MARS": {"MUG-BLUE": 1}}}, *INVALID, "/stock/MARS"),
    ({"stock": {"BER": {"MUG-GREEN": 1}}}, *INVALID, "/stock/BER/MUG-GREEN"),
    ({"without": ["MARS"]}, *INVALID, "/without/0"),
    ({"without": ["Köln"]}, *INVALID, "/without/0"),
    ({"without": "BER"}, *INVALID, "/without"),
    ({"attempt": 999}, 404, "not_found", None),
    ({"policy": "far"}, 404, "policy.unknown", None),
    ({"policy": "default:9.9.9"}, 404, "policy.unknown", None),
    ({"policy": "ferné:"}, 404, "policy.unknown", None),
    ({"policy": {"name": "x", "version": "1.0.0", "max_splits": 2**63}}, *INVALID, "/policy"),
    ({"policy": {"name": "x", "version": "1.0.0", "alternatives": 0}}, *INVALID, "/policy"),
    ({"policy": "a\0b"}, 400, "json.malformed", None),
    (None, *INVALID, ""),
    ([], *INVALID, ""),
]
PATHS: list[Any] = [
    *(("GET", f"{ORDER}/routing-attempts/{number}", *INVALID, "path/number") for number in (0, -1, 2**31, 2**63, "x")),
    ("GET", f"{ORDER}/routing-attempts/999", 404, "routing_attempt.unknown", None),
    *(("POST", f"/v1/orders/{order}/routing-preview", 409, "order.moved", None) for order in (SHIPPED, CANCELLED)),
    ("POST", f"/v1/orders/{ALLOCATED}/routing-preview", 409, "order.moved", None),
    *(
        (method, f"/v1/orders/{order}/{what}", status, code, field)
        for order, status, code, field in (("999999", 404, "order.unknown", None), ("a%00b", *INVALID, "path/order"))
        for method, what in (
            ("POST", "routing-preview"),
            ("GET", "routing-attempts"),
            ("GET", "routing-attempts/1"),
            ("GET", "routing-schedules"),
            ("POST", "routing-schedules/1/abandon"),
            ("POST", "route"),
        )
    ),
    *(("POST", f"{ORDER}/routing-schedules/{n}/abandon", *INVALID, "path/number") for n in (0, -1, 2**31, 2**63)),
    ("GET", "/v1/routing-pools/a%00b/waves", *INVALID, "path/pool"),
    ("GET", "/v1/locations/%00/capacity", *INVALID, "path/location"),
    *(
        ("GET", f"/v1/routing-schedules?after={mark}", *INVALID, "query/after")
        for mark in ("%00:1", "x", "x:-1", "x:9999999999")
    ),
]
DATES: tuple[Any, ...] = (
    "0001-01-01T00:00:00+14:00",
    "1899-12-31T23:59:59Z",
    "2200-01-01T00:00:00Z",
    "9999-12-31T23:59:59-12:00",
    "10000-01-01T00:00:00Z",
    "2026-03-02T14:00:00",
    "2026-03-02",
    "2026-02-30T00:00:00Z",
    "soon",
    "",
)
ODD_DATES: tuple[Any, ...] = (*DATES, None, True, [])
CASES: list[Any] = [
    *(("POST", PREVIEW, body, *expected) for body, *expected in BODIES),
    *((method, path, {} if method == "POST" else None, *expected) for method, path, *expected in PATHS),
    *(("POST", SCHEDULE, {"scheduled_at": date}, *INVALID, "/scheduled_at") for date in ODD_DATES),
    *(
        ("GET", f"/v1/{path}={date.replace('+', '%2B')}", None, *INVALID, f"query/{path.partition('?')[2]}")
        for path in ("routing-schedules?due_before", "orders?since")
        for date in DATES
    ),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "code", "field"), CASES)
async def test_odd_input_is_refused(  # noqa: PLR0917  # a case's columns
    http: httpx.AsyncClient,
    books: AsyncEngine,
    method: str,
    path: str,
    body: Any,
    status: int,
    code: str,
    field: str | None,
) -> None:
    """The problem has its code, the field if there is one, a reason and a remedy; no row is written."""
    before = await count(books, *TABLES)

    answer = await asked(http, method, path, body)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["detail"]
    assert problem["remedy"]
    if field is not None:
        assert [error["pointer"] for error in problem["errors"]] == [field]
    assert await count(books, *TABLES) == before
