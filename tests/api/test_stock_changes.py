"""Adjustments, counts, receipts and feeds over HTTP: their figures, their causes, and that each is done once."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from api import examples
from orderloom.cli import calling_api
from orderloom.cli.inventory import inventory_app
from orderloom.persistence.world import World, load_world
from orderloom.readmodels.doctor import examine
from orderloom.readmodels.snapshot import snapshot
from tests.api.conftest import NOW

WORLD = {
    "locations": [{"id": "BERLIN", "country": "DE"}, {"id": "PARIS", "country": "FR"}],
    "groups": [{"id": "EU", "locations": ["BERLIN", "PARIS"]}],
    "stock": [{"location": "BERLIN", "sku": "MUG-BLUE", "on_hand": 4, "safety": 1}],
}


@pytest.fixture
async def stocked(seeded: AsyncEngine) -> AsyncEngine:
    """Return the seeded database with four blue mugs in Berlin."""
    async with seeded.begin() as conn:
        await load_world(conn, World.model_validate(WORLD), NOW - timedelta(days=1))
    return seeded


async def post(http: httpx.AsyncClient, path: str, body: Any, key: str) -> httpx.Response:
    return await http.post(f"/v1/stock/{path}", json=body, headers={"Idempotency-Key": key})


async def figures(http: httpx.AsyncClient, **places: str) -> list[tuple[int, int, int, list[Any]]]:
    answer = await http.get("/v1/availability", params={"skus": "MUG-BLUE", **places})
    return [
        (item["on_hand"], item["available_to_fulfill"], item["available_to_order"], item["futures"])
        for item in answer.json()["items"]
    ]


async def causes(engine: AsyncEngine) -> list[tuple[Any, ...]]:
    async with engine.connect() as conn:
        query = "SELECT location_id, sku, quantity, cause FROM stock_changes WHERE cause <> 'opening' ORDER BY id"
        return [tuple(row) for row in await conn.execute(text(query))]


async def sound(engine: AsyncEngine) -> bool:
    async with snapshot(engine) as conn:
        return not (await examine(conn)).findings


async def test_examples_change_what_they_say(http: httpx.AsyncClient, stocked: AsyncEngine) -> None:
    """An adjustment, a count, a receipt expected, half of it received: each asked twice and done once."""
    week = {"expected_at": "2026-03-08T00:00:00Z"}
    steps = (
        ("adjustments", examples.ADJUST, (3, 2, 2, [])),
        ("receipts", examples.EXPECT, (3, 2, 42, [{**week, "quantity": 40}])),
        (
            "receipts/PO-9/received",
            examples.RECEIVED,
            (28, 27, 42, [{**week, "quantity": 15}]),
        ),
        ("receipts/PO-9/received", {"last": True, "quantity": 5}, (33, 32, 32, [])),
    )
    for number, (path, body, expected) in enumerate(steps):
        for _ in range(2):
            answer = await post(http, path, body, f"k{number}")
            assert (answer.status_code, answer.json()) == (200, {"results": [{"status": "done", "code": None}]})
        assert await figures(http, locations="BERLIN") == [expected]
        assert await figures(http, groups="EU") == [expected]
    gone = await post(http, "receipts/PO-9/received", {}, "late")

    assert (gone.status_code, gone.json()["code"]) == (404, "receipt.unknown")
    assert await causes(stocked) == [
        ("BERLIN", "MUG-BLUE", -1, "broken"),
        ("BERLIN", "MUG-BLUE", 25, "receipt:PO-9"),
        ("BERLIN", "MUG-BLUE", 5, "receipt:PO-9"),
    ]
    assert await sound(stocked)


async def test_count_in_the_past_keeps_what_moved_since(http: httpx.AsyncClient, stocked: AsyncEngine) -> None:
    """Twelve counted in the morning and one broken at noon leave eleven."""
    await post(http, "adjustments", examples.ADJUST, "a")
    await post(http, "counts", examples.COUNT, "c")

    assert await figures(http, locations="BERLIN") == [(11, 10, 10, [])]
    assert await causes(stocked) == [("BERLIN", "MUG-BLUE", -1, "broken"), ("BERLIN", "MUG-BLUE", 8, "count")]


async def test_an_older_count_is_answered_as_superseded(http: httpx.AsyncClient, stocked: AsyncEngine) -> None:
    """A count of seven o'clock that comes after the one of eight; each record of one request has its own result."""
    await post(http, "counts", examples.COUNT, "c")
    blue = {"location": "BERLIN", "sku": "MUG-BLUE"}
    records = [
        {**blue, "quantity": 3, "counted_at": "2026-03-01T07:00:00Z"},
        {"location": "BERLIN", "sku": "MUG-RED", "quantity": 3, "counted_at": "2026-03-01T07:00:00Z"},
        {**blue, "quantity": 14, "counted_at": "2026-03-01T09:00:00Z"},
        {**blue, "quantity": 13, "counted_at": "2026-03-01T08:30:00Z"},
    ]
    late = await post(http, "counts", {"records": records[:1]}, "late")
    answer = await post(http, "counts", {"records": records}, "many")

    superseded = {"status": "refused", "code": "count.superseded"}
    done = {"status": "done", "code": None}
    assert late.json() == {"results": [superseded]}
    assert answer.json() == {"results": [done, done, done, superseded]}
    assert await figures(http, locations="BERLIN") == [(14, 13, 13, [])]
    assert await causes(stocked) == [
        ("BERLIN", "MUG-BLUE", 8, "count"),
        ("BERLIN", "MUG-BLUE", 2, "count"),
        ("BERLIN", "MUG-RED", 3, "count"),
    ]
    assert await sound(stocked)


async def test_safety_stock_is_set_once_and_never_below_zero(http: httpx.AsyncClient, stocked: AsyncEngine) -> None:
    """The example keeps two back, asked twice; a number below zero is refused by its field, and changes nothing."""
    answers = [await post(http, "safety-stock", examples.KEEP_BACK, "k") for _ in range(2)]
    wrong = {"records": [{"location": "BERLIN", "sku": "MUG-BLUE", "quantity": -1}]}
    refused = await post(http, "safety-stock", wrong, "w")

    assert [answer.json() for answer in answers] == [{"results": [{"status": "done", "code": None}]}] * 2
    assert "Idempotent-Replayed" in answers[1].headers
    assert (refused.status_code, refused.json()["code"]) == (422, "input.invalid")
    assert [each["pointer"] for each in refused.json()["errors"]] == ["/records/0/quantity"]
    assert await figures(http, locations="BERLIN") == [(4, 2, 2, [])]
    assert await figures(http, groups="EU") == [(4, 2, 2, [])]
    assert await causes(stocked) == [("BERLIN", "MUG-BLUE", 0, "season")]
    assert await sound(stocked)


def test_the_command_asks_for_what_it_says(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One record with its reason is sent; a refusal is told with its remedy, and the exit status is 1."""
    asked: list[tuple[str, str, Any]] = []
    results = [{"status": "done", "code": None}, {"status": "refused", "code": "sku.unknown"}]

    def ask(_: httpx.Client, method: str, path: str, **more: Any) -> Any:
        asked.append((method, path, more["json"]))
        return {"results": [results[len(asked) - 1]]}

    monkeypatch.setattr(calling_api, "ask", ask)
    said = ("safety-stock", "BERLIN", "MUG-BLUE")
    inventory_app((*said, "2", "--reason", "season"), result_action="return_value")
    with pytest.raises(SystemExit) as ended:
        inventory_app((*said, "0"), result_action="return_value")
    told = capsys.readouterr()

    record = {"location": "BERLIN", "sku": "MUG-BLUE"}
    assert asked == [
        ("POST", "/v1/stock/safety-stock", {"records": [{**record, "quantity": 2}], "reason": "season"}),
        ("POST", "/v1/stock/safety-stock", {"records": [{**record, "quantity": 0}]}),
    ]
    assert told.out == "2 of MUG-BLUE are kept back at BERLIN\n"
    assert told.err == "refused: sku.unknown: there is no such product: load it first, or correct its SKU\n"
    assert ended.value.code == 1


async def test_records_that_cannot_be_stop_no_other(http: httpx.AsyncClient, stocked: AsyncEngine) -> None:
    """Each record is answered by itself; a receipt that moves to another location moves its future."""
    expected = [
        {"id": "1", "location": "BERLIN", "sku": "MUG-BLUE", "quantity": 7},
        {"id": "2", "location": "NOWHERE", "sku": "MUG-BLUE", "quantity": 7},
        {"id": "3", "location": "BERLIN", "sku": "NOTHING", "quantity": 7},
    ]
    answer = await post(http, "receipts", {"records": expected}, "e")
    moved = await post(http, "receipts", {"records": [{**expected[0], "location": "PARIS", "quantity": 6}]}, "m")
    adjusted = await post(
        http,
        "adjustments",
        {
            "records": [
                {"location": "BERLIN", "sku": "MUG-BLUE", "delta": -5, "reason": "lost"},
                {"location": "PARIS", "sku": "MUG-RED", "delta": 2, "reason": "found"},
            ]
        },
        "a",
    )

    assert [each["code"] for each in answer.json()["results"]] == [None, "location.unknown", "sku.unknown"]
    assert moved.status_code == 200
    assert [each["code"] for each in adjusted.json()["results"]] == ["stock.out_of_range", None]
    assert await figures(http, locations="BERLIN") == [(4, 3, 3, [])]
    assert await figures(http, locations="PARIS") == [(0, 0, 6, [{"expected_at": None, "quantity": 6}])]
    assert await figures(http, groups="EU") == [(4, 3, 9, [{"expected_at": None, "quantity": 6}])]
    assert await sound(stocked)


async def test_a_full_feed_over_http_is_previewed_and_guarded(http: httpx.AsyncClient, stocked: AsyncEngine) -> None:
    """The preview needs no key and changes nothing; what leaves too much out is refused with figures, until allowed."""
    lines = b'{"sku": "MUG-RED", "location": "BERLIN", "quantity": 3}\n'
    headers = {"Idempotency-Key": "night", "Content-Type": "application/x-ndjson"}
    kind = {"Content-Type": headers["Content-Type"]}

    told = await http.post("/v1/stock/feeds/preview?mode=full", content=lines, headers=kind)
    refused = await http.post("/v1/stock/feeds?mode=full", content=lines, headers=headers)

    shelf = {"what": "zeroed", "sku": "MUG-BLUE", "on_hand": 4, "becomes": 0, "safety": 1, "safety_becomes": 1}
    (berlin,) = told.json()["locations"]
    assert told.status_code == 200
    assert (berlin["new"], berlin["changed"], berlin["zeroed"], berlin["unchanged"]) == (1, 0, 1, 0)
    assert berlin["too_much"] is True
    assert shelf in berlin["first"]
    assert (refused.status_code, refused.json()["code"]) == (422, "feed.zeroes_too_much")
    assert refused.json()["facts"] == {"location": "BERLIN", "unnamed": 1, "stocked": 1, "locations": 1}
    assert await causes(stocked) == []

    allowed = await http.post("/v1/stock/feeds?mode=full&zero_at_most=1", content=lines, headers=headers)
    assert (allowed.json()["feed"]["changed"], allowed.json()["feed"]["zeroed"]) == (1, 1)
    assert await causes(stocked) == [("BERLIN", "MUG-RED", 3, "feed:night"), ("BERLIN", "MUG-BLUE", -4, "feed:night")]
    assert await sound(stocked)


@pytest.mark.parametrize("share", ["-0.1", "1.1", "some"])
async def test_a_share_of_shelves_is_from_none_to_all(
    http: httpx.AsyncClient, stocked: AsyncEngine, share: str
) -> None:
    """Anything else is refused by the name of the parameter."""
    path = f"/v1/stock/feeds?mode=full&zero_at_most={share}"
    answer = await http.post(path, content=b"sku,location,quantity\n", headers={"Idempotency-Key": "k"})

    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == ["query/zero_at_most"]


async def test_feed_over_http(http: httpx.AsyncClient, stocked: AsyncEngine) -> None:
    """A feed is merged as it comes in, in parts that cut lines; a repetition merges nothing; bad lines are told."""

    async def parts() -> Any:
        for part in (b"sku,quan", b"tity\nMUG-BLUE,9\nMUG", b"-RED,x\nMUG-RED,3"):
            yield part

    headers = {"Idempotency-Key": "feed-1", "Content-Type": "text/csv"}
    answers = [
        await http.post("/v1/stock/feeds?mode=full&location=PARIS", content=parts(), headers=headers) for _ in range(2)
    ]

    assert [answer.json()["feed"]["changed"] for answer in answers] == [2, 0]
    assert answers[0].json()["refused"] == [
        {
            "line": 3,
            "field": "quantity",
            "code": "quantity.invalid",
            "detail": "it is no whole number: write one, up to 2147483647",
        }
    ]
    assert await figures(http, groups="EU") == [(13, 12, 12, [])]
    assert await causes(stocked) == [("PARIS", "MUG-BLUE", 9, "feed:feed-1"), ("PARIS", "MUG-RED", 3, "feed:feed-1")]
