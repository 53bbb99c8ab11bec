"""Bad input is refused by name, with a remedy, and leaves nothing behind."""

import copy
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from api.app import build
from api.examples import PLACE_ORDER
from tests.api.conftest import StubDelivery, client, count

type Body = dict[str, Any]


@pytest.fixture
def delivery(shared: AsyncEngine) -> StubDelivery:
    """Return the delivery that the API is given."""
    return StubDelivery(shared)


@pytest.fixture
async def http(shared: AsyncEngine, delivery: StubDelivery) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the API over the database that all of these tests share: they leave nothing behind."""

    async def probe() -> None:
        return None

    async with client(shared, delivery, probe) as http:
        yield http


def order(path: str = "", value: object = None) -> Body:
    """Return the example order; at *path* stands *value*."""
    body: Body = copy.deepcopy(PLACE_ORDER)
    if path:
        *parents, last = [int(part) if part.isdecimal() else part for part in path.strip("/").split("/")]
        target: Any = body
        for part in parents:
            target = target[part]
        target[last] = value
    return body


def many_lines(number: int) -> Body:
    """Return an order with *number* lines."""
    line = {"kind": "product", "sku": "MUG-BLUE", "quantity": 1, "unit_price": {"amount": 2500, "currency": "EUR"}}
    return order("/lines", [{**line, "id": str(position)} for position in range(number)])


CASES = [
    pytest.param(order("/lines/0/sku", "MUG-GREEN"), 422, "catalog.unknown_sku", "/lines/0/sku", id="unknown SKU"),
    pytest.param(order("/lines/0/sku", "MUG-OLD"), 422, "catalog.unknown_sku", "/lines/0/sku", id="no longer sold"),
    pytest.param(order("/lines/0/quantity", -1), 422, "input.invalid", "/lines/0/quantity", id="negative quantity"),
    pytest.param(order("/lines/0/quantity", 0), 422, "input.invalid", "/lines/0/quantity", id="no quantity"),
    pytest.param(order("/lines/0/quantity", 1.5), 422, "input.invalid", "/lines/0/quantity", id="fractional quantity"),
    pytest.param(order("/lines/0/quantity", 2.0), 422, "input.invalid", "/lines/0/quantity", id="quantity as a float"),
    pytest.param(order("/lines/0/quantity", "2"), 422, "input.invalid", "/lines/0/quantity", id="quantity as text"),
    pytest.param(order("/lines/0/quantity", True), 422, "input.invalid", "/lines/0/quantity", id="quantity as boolean"),
    pytest.param(order("/currency", "USD"), 422, "currency.mismatch", "/currency", id="order in another currency"),
    pytest.param(
        order("/delivery_groups/0/pickup_location", "BER"),
        422,
        "input.invalid",
        "/delivery_groups/0/pickup_location",
        id="pickup that nobody offers",
    ),
    pytest.param(
        order("/lines/0/unit_price/currency", "USD"),
        422,
        "currency.mismatch",
        "/lines/0/unit_price/currency",
        id="line in another currency",
    ),
    pytest.param(
        order("/payments/0/amount/currency", "USD"),
        422,
        "currency.mismatch",
        "/payments/0/amount/currency",
        id="payment in another currency",
    ),
    pytest.param(
        order("/lines/0/unit_price/amount", 2500.5),
        422,
        "input.invalid",
        "/lines/0/unit_price/amount",
        id="price with too many decimals",
    ),
    pytest.param(
        order("/lines/0/unit_price/amount", 2400),
        422,
        "price.mismatch",
        "/lines/0/unit_price/amount",
        id="price is not the listed one",
    ),
    pytest.param(
        order("/lines/0/sku", "MUG-NEW"), 422, "price.mismatch", "/lines/0/unit_price/amount", id="no price listed"
    ),
    pytest.param(
        order("/lines/0/tax_category", "luxury"),
        422,
        "input.invalid",
        "/lines/0/tax_category",
        id="unknown tax category",
    ),
    pytest.param(order("/channel", "shop"), 422, "channel.unknown", "/channel", id="unknown channel"),
    pytest.param(order("/channel", "draft"), 422, "channel.unknown", "/channel", id="channel without flows"),
    pytest.param(many_lines(2001), 422, "order.too_many_lines", "/lines", id="2,001 lines"),
    pytest.param(
        order("/customer/reference", "4111 1111 1111 1111"),
        422,
        "card_number.refused",
        "/customer/reference",
        id="card number in the customer",
    ),
    pytest.param(
        order("/payments/0/token", "4111111111111111"),
        422,
        "card_number.refused",
        "/payments/0/token",
        id="card number as token",
    ),
    pytest.param(
        order("/lines/1/name", "paid with 5500-0000-0000-0004 thanks"),
        422,
        "card_number.refused",
        "/lines/1/name",
        id="card number in a text",
    ),
    pytest.param(
        order("/lines/0/number", 4111111111111111), 422, "card_number.refused", "/lines/0/number", id="card as a number"
    ),
    pytest.param(order("/comment", "fast"), 422, "input.invalid", "/comment", id="unknown field"),
    pytest.param(order("/lines", []), 422, "input.invalid", "/lines", id="no lines"),
]


@pytest.mark.parametrize(("body", "status", "code", "pointer"), CASES)
async def test_refused_order_names_the_field_and_leaves_nothing(  # noqa: PLR0917  # fixtures and one case
    http: httpx.AsyncClient,
    shared: AsyncEngine,
    delivery: StubDelivery,
    body: Body,
    status: int,
    code: str,
    pointer: str,
) -> None:
    """A bad order gets a problem with a stable code, the field's pointer and a remedy; no row, no delivery."""
    answer = await http.post("/v1/orders", json=body, headers={"Idempotency-Key": "k1"})

    problem = answer.json()
    assert answer.status_code == status, problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["code"] == code
    assert problem["type"] == f"urn:orderloom:{code}"
    assert problem["status"] == status
    assert problem["instance"] == "/v1/orders"
    assert problem["remedy"]
    assert pointer in [error["pointer"] for error in problem["errors"]]
    assert all(error["detail"] and error["code"] for error in problem["errors"])
    assert "4111" not in answer.text
    assert "5500-0000" not in answer.text
    assert await count(shared, "intake", "orders", "persons", "person_keys") == [0, 0, 0, 0]
    assert delivery.delivered == []


RAW = [
    pytest.param(b'{"channel": "web", "channel": "web"}', 400, "json.malformed", id="a name twice"),
    pytest.param(b'{"channel": NaN}', 400, "json.malformed", id="NaN"),
    pytest.param(b'{"channel": -Infinity}', 400, "json.malformed", id="Infinity"),
    pytest.param(b'{"channel": 1e999}', 400, "json.malformed", id="a number beyond doubles"),
    pytest.param(b'{"channel": ' + b"9" * 5000 + b"}", 400, "json.malformed", id="an endless integer"),
    pytest.param(b'{"channel": "a\\u0000b"}', 400, "json.malformed", id="NUL in a text"),
    pytest.param(b'{"channel": "a\\ud800b"}', 400, "json.malformed", id="half a surrogate pair"),
    pytest.param(b'{"channel": "\xff"}', 400, "json.malformed", id="not UTF-8"),
    pytest.param(b'{"channel": ', 400, "json.malformed", id="cut off"),
    pytest.param(b"[" * 50_000, 400, "json.malformed", id="endless nesting"),
    pytest.param(b"[" * 100 + b"]" * 100, 400, "json.malformed", id="deep nesting"),
    pytest.param(b"", 422, "input.invalid", id="no body"),
    pytest.param(b"[]", 422, "input.invalid", id="a list"),
    pytest.param(b'"' + b"x" * 300_000 + b'"', 413, "body.too_large", id="too large"),
]


@pytest.mark.parametrize(("raw", "status", "code"), RAW)
async def test_refused_body(http: httpx.AsyncClient, shared: AsyncEngine, raw: bytes, status: int, code: str) -> None:
    """A body that is not JSON of one meaning, or too large, is refused before it is looked at."""
    headers = {"Idempotency-Key": "k1", "Content-Type": "application/json"}

    answer = await http.post("/v1/orders", content=raw, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert await count(shared, "intake", "orders") == [0, 0]


async def test_body_is_measured_while_it_streams(http: httpx.AsyncClient) -> None:
    """A body without Content-Length is refused as soon as it is too large, without reading on."""
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while True:
            sent += 1
            yield b" " * 100_000

    headers = {"Idempotency-Key": "k1", "Content-Type": "application/json"}

    answer = await http.post("/v1/orders", content=endless(), headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (413, "body.too_large")
    assert answer.json()["facts"] == {"limit": 300_000}
    assert sent < 10


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        pytest.param({}, 400, "idempotency.key_required", id="no key"),
        pytest.param({"Idempotency-Key": ""}, 400, "idempotency.key_required", id="empty key"),
        pytest.param({"Idempotency-Key": "k" * 201}, 400, "idempotency.key_required", id="long key"),
        pytest.param(
            {"Idempotency-Key": "k", "Content-Type": "text/plain"}, 415, "media_type.unsupported", id="no JSON"
        ),
    ],
)
async def test_refused_headers(
    http: httpx.AsyncClient, shared: AsyncEngine, headers: dict[str, str], status: int, code: str
) -> None:
    """A change without a usable Idempotency-Key, or not declared as JSON, is refused."""
    sent = {"Content-Type": "application/json", **headers}

    answer = await http.post("/v1/orders", content=json.dumps(PLACE_ORDER), headers=sent)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["remedy"]
    assert await count(shared, "intake", "orders") == [0, 0]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        pytest.param("GET", "/v1/nothing", 404, "path.unknown", id="no such path"),
        pytest.param("DELETE", "/v1/orders", 405, "method.not_allowed", id="no such method"),
        pytest.param("GET", "/v1/orders/100001", 404, "order.unknown", id="no such order"),
        pytest.param("GET", "/v1/orders/100001/journal", 404, "order.unknown", id="journal of no order"),
        pytest.param("GET", "/v1/intake/x", 404, "intake.unknown", id="no such intake"),
        pytest.param("GET", "/v1/exceptions/x", 404, "exception.unknown", id="no such exception"),
        pytest.param("GET", "/v1/fulfillment-orders/x", 404, "fulfillment_order.unknown", id="no fulfillment order"),
        pytest.param("GET", "/v1/orders?limit=0", 422, "input.invalid", id="page too small"),
        pytest.param("GET", "/v1/orders?limit=201", 422, "input.invalid", id="page too large"),
        pytest.param("GET", "/v1/fulfillment-orders", 422, "input.invalid", id="no location"),
    ],
)
async def test_other_errors_are_problems_too(
    http: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    """Whatever goes wrong, the answer is a problem with a code and a remedy."""
    answer = await http.request(method, path)

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["remedy"]


async def test_problem_of_a_parameter_names_it(http: httpx.AsyncClient) -> None:
    """A wrong query parameter is named by its kind and name."""
    answer = await http.get("/v1/orders?limit=many")

    assert [error["pointer"] for error in answer.json()["errors"]] == ["query/limit"]


async def test_no_endpoint_takes_what_a_database_cannot_read(http: httpx.AsyncClient) -> None:
    """A NUL in the path is refused by every endpoint that has a parameter there, a NUL in the query by all."""
    for path, methods in build().openapi()["paths"].items():
        for method in methods:
            odd = [re.sub("{[^}]*}", "a%00b", path)] if "{" in path else []
            for url in (*odd, f"{re.sub('{[^}]*}', 'a', path)}?x=%00"):
                answer = await http.request(method, url)
                assert (answer.status_code, answer.json()["code"]) == (422, "input.invalid"), url
                assert "must not hold a NUL" in answer.json()["detail"], url


async def test_unknown_order_takes_no_command(http: httpx.AsyncClient, shared: AsyncEngine) -> None:
    """A command to an order that does not exist is a 404, and is not taken in."""
    body = {"items": [{"line": "1", "quantity": 1}]}

    answer = await http.post("/v1/orders/100001/cancel-items", json=body, headers={"Idempotency-Key": "k"})

    assert (answer.status_code, answer.json()["code"]) == (404, "order.unknown")
    assert await count(shared, "intake") == [0]


async def test_unknown_fulfillment_order_takes_no_event(http: httpx.AsyncClient, shared: AsyncEngine) -> None:
    """An event of a fulfillment order that does not exist is a 404, and is not taken in."""
    answer = await http.post("/v1/fulfillment-orders/100001-F1/events", json={"id": "e1", "type": "shipped"})

    assert (answer.status_code, answer.json()["code"]) == (404, "fulfillment_order.unknown")
    assert await count(shared, "intake") == [0]
