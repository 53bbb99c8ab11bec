"""Odd dates of selling ahead, receipts and counts: refused by their field, or taken as what they say; never a 500."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from cyclopts import App
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.cli.orders import orders_app
from orderloom.cli.policies.shadow import since
from orderloom.cli.sell_ahead import sell_ahead_app
from orderloom.domain.errors import InvalidInput
from orderloom.persistence.world import World, load_world
from tests.api.conftest import NOW, count
from tests.api.test_odd_routing import DATES

TABLES = ("sell_ahead", "sell_ahead_changes", "expected_receipts", "stock_changes", "inventory_requests")
SHELF = {"location": "BER", "sku": "MUG-BLUE", "quantity": 7}
GOOD: dict[str, datetime] = {
    "1900-01-01T00:00:00Z": datetime(1900, 1, 1, tzinfo=UTC),
    "2199-12-31T23:59:59.999999Z": datetime(2199, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    "1900-01-01T14:00:00+14:00": datetime(1900, 1, 1, tzinfo=UTC),
    "2026-03-01T02:00:00-11:30": datetime(2026, 3, 1, 13, 30, tzinfo=UTC),
    "2024-02-29T23:59:59Z": datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC),
}


@pytest.fixture
async def stocked(seeded: AsyncEngine) -> AsyncEngine:
    """Return the seeded database with four blue mugs in Berlin."""
    world = {
        "locations": [{"id": "BER", "country": "DE"}],
        "groups": [{"id": "EU", "locations": ["BER"]}],
        "stock": [{"location": "BER", "sku": "MUG-BLUE", "on_hand": 4}],
    }
    async with seeded.begin() as conn:
        await load_world(conn, World.model_validate(world), NOW)
    return seeded


def asked(date: Any) -> list[tuple[str, Any, str]]:
    """Return every way to send *date*: path, body, and the field that it stands in."""
    receipt = {"id": "PO-1", **SHELF, "expected_at": date}
    return [
        (
            "/v1/sell-ahead/set",
            {"policies": [{"sku": "MUG-BLUE", "backorder": True, "until": date}]},
            "/policies/0/until",
        ),
        ("/v1/sell-ahead/set", {"policies": [{"sku": "MUG-RED", "release_at": date}]}, "/policies/0/release_at"),
        ("/v1/stock/receipts", {"records": [receipt]}, "/records/0/expected_at"),
        ("/v1/stock/counts", {"records": [{**SHELF, "counted_at": date}]}, "/records/0/counted_at"),
    ]


async def post(http: httpx.AsyncClient, path: str, body: Any, key: str) -> httpx.Response:
    """Return the answer to a command."""
    return await http.post(path, json=body, headers={"Idempotency-Key": key})


async def available(http: httpx.AsyncClient) -> dict[str, Any]:
    """Return what may be promised of blue mugs in Europe."""
    asked = {"skus": "MUG-BLUE", "groups": "EU", "channel": "web"}
    return (await http.get("/v1/availability", params=asked)).json()["items"][0]


async def test_a_date_that_is_none_is_refused_by_its_field(http: httpx.AsyncClient, stocked: AsyncEngine) -> None:
    """Too long ago, too far ahead, without a zone, no day of the calendar, no date: 422, and nothing is written."""
    before = await count(stocked, *TABLES)
    for date in (*DATES, "2024-02-29T23:59:60Z", True, [], 1e300, {}):
        for path, body, field in asked(date):
            answer = await post(http, path, body, "k")
            problem = answer.json()
            told = answer.status_code, problem.get("code"), [each["pointer"] for each in problem.get("errors", ())]
            assert told == (422, "input.invalid", [field]), (path, date, answer.text)
    assert await count(stocked, *TABLES) == before


async def test_a_date_is_taken_as_the_moment_that_it_is(http: httpx.AsyncClient, stocked: AsyncEngine) -> None:
    """The first and the last that there is, and any zone: what is told is the same moment."""
    for date, moment in GOOD.items():
        for number, (path, body, _) in enumerate(asked(date)):
            answer = await post(http, path, body, f"{date}/{number}")
            assert answer.status_code == 200, (path, date, answer.text)
        blue, red = (await http.get("/v1/sell-ahead")).json()["items"]
        told = [blue["until"], red["release_at"], (await available(http))["futures"][0]["expected_at"]]
        assert [datetime.fromisoformat(each) for each in told] == [moment] * 3, date


async def test_what_has_ended_before_it_began_allows_nothing(http: httpx.AsyncClient, stocked: AsyncEngine) -> None:
    """A backorder that ended, also before its release, sells none ahead; one that ends at this moment has ended."""
    for number, until in enumerate(("1900-01-01T00:00:00Z", "2026-03-01T12:00:00Z", "2026-03-01T12:00:01Z")):
        policy = {"sku": "MUG-BLUE", "backorder": True, "until": until, "release_at": "2027-01-01T00:00:00Z"}
        assert (await post(http, "/v1/sell-ahead/set", {"policies": [policy]}, str(number))).status_code == 200
        state = (await available(http))["sell_ahead"]
        assert (state["backorder"], state["release_at"]) == (number == 2, "2027-01-01T00:00:00Z"), until


async def test_a_count_of_another_time_is_none_of_the_future(http: httpx.AsyncClient, stocked: AsyncEngine) -> None:
    """Counted in 1900, it is older than what the shelf was opened with; counted in 2199, it was counted now."""
    told: list[tuple[Any, int]] = []
    for date in ("1900-01-01T00:00:00Z", "2199-12-31T00:00:00Z"):
        answer = await post(http, "/v1/stock/counts", {"records": [{**SHELF, "counted_at": date}]}, date)
        [result] = answer.json()["results"]
        told.append((result, (await available(http))["on_hand"]))
    async with stocked.connect() as conn:
        latest = await conn.scalar(text("SELECT max(at) FROM stock_changes"))

    assert told == [({"status": "refused", "code": "count.superseded"}, 4), ({"status": "done", "code": None}, 7)]
    assert latest == NOW


async def test_lines_of_a_feed_with_odd_dates_stop_no_other(http: httpx.AsyncClient, stocked: AsyncEngine) -> None:
    """Each is told with its column; the one with a date is merged."""
    dates = [date for date in DATES if date]
    lines = ["location,sku,quantity,at", *(f"BER,MUG-BLUE,9,{date}" for date in dates), "BER,MUG-BLUE,8,"]
    headers = {"Idempotency-Key": "f", "Content-Type": "text/csv"}
    answer = await http.post("/v1/stock/feeds?mode=full", content="\n".join(lines).encode(), headers=headers)

    refused = answer.json()["refused"]
    assert [(each["line"], each["field"], each["code"]) for each in refused] == [
        (number, "at", "at.invalid") for number in range(2, 2 + len(dates))
    ]
    assert (await available(http))["on_hand"] == 8


@pytest.mark.parametrize("date", ["0001-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-02-30"])
@pytest.mark.parametrize(
    ("app", "words"),
    [
        (sell_ahead_app, ("set", "--sku", "X", "--backorder", "--until")),
        (sell_ahead_app, ("set", "--sku", "X", "--release-at")),
        (orders_app, ("schedules", "--due-before")),
        (orders_app, ("reschedule", "100001", "2", "--at")),
    ],
)
def test_a_command_refuses_it_before_it_asks(
    app: App, words: tuple[str, ...], date: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The option is named, nothing is asked of the API, and no traceback is shown."""
    monkeypatch.setattr(httpx.Client, "request", _not_asked)
    with pytest.raises(SystemExit) as left:
        app([*words, date])

    assert left.value.code == 2
    assert f"for {words[-1]}" in capsys.readouterr().err


def _not_asked(*_: Any, **__: Any) -> None:
    raise AssertionError("the API was asked")


@pytest.mark.parametrize("said", ["0001-01-01", "9999-12-31T23:59:59-12:00", "99999999999d", "1e3d", "soon", ""])
def test_a_shadow_since_an_odd_date_is_refused(said: str) -> None:
    """An age or a moment that cannot be is told as such."""
    with pytest.raises(InvalidInput, match="give an age such as 12h"):
        since(said, NOW)
