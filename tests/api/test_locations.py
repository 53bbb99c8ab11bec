"""What the API and the command line tell of the work of locations, and what may be asked of it."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from cyclopts import App
from sqlalchemy import insert, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.cli import calling_api
from orderloom.cli import locations as commands
from orderloom.persistence.tables.places import location_capacity, location_rejections
from tests.api.books import ALLOCATED, SHIPPED, write_books
from tests.api.conftest import NOW, count

DAY = timedelta(days=1)


@pytest.fixture
async def places(seeded: AsyncEngine) -> AsyncEngine:
    """Return an engine on books whose location PAR takes three a day and turned things down."""
    await write_books(seeded)
    traits = '{"capacity": 3, "cut_off": "12:00", "closed": ["monday"]}'
    rejected: dict[str, Any] = {"location_id": "PAR", "fulfillment_order_id": "f", "quantity": 2}
    async with seeded.begin() as conn:
        await conn.execute(text("UPDATE locations SET traits = CAST(:t AS jsonb) WHERE id = 'PAR'"), {"t": traits})
        day = NOW.date()
        # The books count one fulfillment order on this day already.
        of_day = (location_capacity.c.location_id == "PAR", location_capacity.c.day == day)
        await conn.execute(update(location_capacity).where(*of_day).values(held=1, assigned=2))
        for sku, reason, ago in (("MUG-RED", "other", 0), ("MUG-BLUE", "damaged", 7), ("MUG-BLUE", "just_sold", 0)):
            row = {**rejected, "sku": sku, "reason": reason, "at": NOW - ago * DAY}
            await conn.execute(insert(location_rejections).values(row))
    return seeded


async def test_a_locations_days(http: httpx.AsyncClient, places: AsyncEngine) -> None:
    """Sunday at noon is full and past the cut-off, Monday is closed: work given now is Tuesday's."""
    answer = (await http.get("/v1/locations/PAR/capacity?days=3")).json()

    assert answer["taking"] == "2026-03-03"
    assert answer["days"] == [
        {"day": "2026-03-01", "works": True, "capacity": 3, "held": 1, "assigned": 2, "left": 0},
        {"day": "2026-03-02", "works": False, "capacity": 3, "held": 0, "assigned": 0, "left": 3},
        {"day": "2026-03-03", "works": True, "capacity": 3, "held": 0, "assigned": 0, "left": 3},
    ]


async def test_rejections_are_told_and_reset(http: httpx.AsyncClient, places: AsyncEngine) -> None:
    """What counts most comes first; a reset of one SKU leaves the other, and the same key is the same reset."""
    before = (await http.get("/v1/locations/PAR/rejections")).json()
    path, key = "/v1/locations/PAR/rejections/reset", {"Idempotency-Key": "r1"}
    first = await http.post(path, json={"sku": "MUG-BLUE"}, headers=key)
    again = await http.post(path, json={"sku": "MUG-BLUE"}, headers=key)
    other = await http.post(path, json={}, headers=key)
    after = (await http.get("/v1/locations/PAR/rejections?half_life=86400")).json()

    assert [(one["sku"], one["reports"], one["units"], one["score"]) for one in before["skus"]] == [
        ("MUG-BLUE", 2, 4, 1.5),
        ("MUG-RED", 1, 2, 0.5),
    ]
    assert before["skus"][0]["reasons"] == ["damaged", "just_sold"]
    assert (first.status_code, first.json()) == (200, {"location": "PAR", "forgotten": 2})
    assert (again.content, again.headers["Idempotent-Replayed"]) == (first.content, "true")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency.key_reused")
    assert [one["sku"] for one in after["skus"]] == ["MUG-RED"]


async def test_an_unknown_location_is_told(http: httpx.AsyncClient, places: AsyncEngine) -> None:
    """Reading and resetting what is not there is a 404, and forgets nothing."""
    answers = [
        await http.get("/v1/locations/MARS/capacity"),
        await http.get("/v1/locations/MARS/rejections"),
        await http.post("/v1/locations/MARS/rejections/reset", json={}, headers={"Idempotency-Key": "k"}),
    ]

    assert {(each.status_code, each.json()["code"]) for each in answers} == {(404, "location.unknown")}


async def test_a_fulfillment_order_says_what_it_allows(http: httpx.AsyncClient, places: AsyncEngine) -> None:
    """Accepted: everything but release; shipped: nothing, and why."""
    accepted = (await http.get(f"/v1/fulfillment-orders/{ALLOCATED}-F1")).json()
    shipped = (await http.get(f"/v1/fulfillment-orders/{SHIPPED}-F1")).json()

    assert {one["action"]: one["reason"] for one in accepted["allowed_actions"]} == {
        "hold": None,
        "release": "It is not held.",
        "move": None,
        "split": None,
        "merge": None,
        "cancel-lines": None,
    }
    assert {one["reason"] for one in shipped["allowed_actions"]} == {"It is fulfilled: nothing follows that."}
    assert (accepted["hold_reason"], accepted["successor"]) == (None, None)


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("hold", {"reason": "x"}),
        ("release", {}),
        ("move", {"location": "PAR"}),
        ("split", {"lines": [{"line": "1", "quantity": 1}]}),
        ("merge", {"other": "100001-F2"}),
        ("cancel-lines", {"lines": [{"line": "1", "quantity": 1}]}),
    ],
)
async def test_commands_need_a_fulfillment_order_and_a_key(
    http: httpx.AsyncClient, places: AsyncEngine, action: str, body: dict[str, Any]
) -> None:
    """Without a key, or for none that there is, nothing is taken in; else the order's workflow gets the command."""
    before = await count(places, "intake")
    there, none = f"/v1/fulfillment-orders/{ALLOCATED}-F1/{action}", f"/v1/fulfillment-orders/100009-F1/{action}"
    unknown = await http.post(none, json=body, headers={"Idempotency-Key": "k1"})
    keyless = await http.post(there, json=body)
    refused = await count(places, "intake")
    accepted = await http.post(there, json=body, headers={"Idempotency-Key": "k2"})

    assert (unknown.status_code, unknown.json()["code"]) == (404, "fulfillment_order.unknown")
    assert (keyless.status_code, keyless.json()["code"]) == (400, "idempotency.key_required")
    assert refused == before
    assert (accepted.status_code, accepted.json()["order"]) == (200, ALLOCATED)
    async with places.connect() as conn:
        row = (await conn.execute(text("SELECT type, source, order_id FROM intake ORDER BY position DESC"))).first()
    assert row == (f"fulfillment.{action}.requested", "operators", ALLOCATED)


def _asked(monkeypatch: pytest.MonkeyPatch, answers: dict[tuple[str, str], Any]) -> list[tuple[str, str, Any]]:
    asked: list[tuple[str, str, Any]] = []

    def ask(_: httpx.Client, method: str, path: str, **more: Any) -> Any:
        asked.append((method, path, more.get("json")))
        return answers[method, path]

    monkeypatch.setattr(commands, "ask", ask)
    monkeypatch.setattr(calling_api, "ask", ask)
    return asked


def _run(app: App, *words: str) -> None:
    app(words, result_action="return_value")


def test_the_command_shows_and_resets_rejections(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --reset it forgets first and then shows what is left; without it only shows."""
    path = "/v1/locations/PAR/rejections"
    one = {"sku": "X", "reports": 2, "units": 4, "reasons": ["damaged"], "last_at": "2026-03-01", "score": 1.5}
    answers = {
        ("GET", path): {"location": "PAR", "half_life": 604_800.0, "skus": [one]},
        ("POST", f"{path}/reset"): {"location": "PAR", "forgotten": 3},
    }
    asked = _asked(monkeypatch, answers)

    _run(commands.locations_app, "rejections", "PAR")
    shown = list(asked)
    _run(commands.locations_app, "rejections", "PAR", "--reset", "--sku", "X")
    told = capsys.readouterr()

    assert shown == [("GET", path, None)]
    assert asked[1:] == [("POST", f"{path}/reset", {"sku": "X"}), ("GET", path, None)]
    assert "3 rejections of PAR count no more" in told.err
    assert "a rejection counts half after 7 days" in told.err
    assert "damaged" in told.out


def test_the_command_shows_a_locations_days(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row for each day, and the day that work given now belongs to."""
    day = {"day": "2026-03-02", "works": False, "capacity": None, "held": 0, "assigned": 0, "left": None}
    answers = {("GET", "/v1/locations/PAR/capacity"): {"location": "PAR", "taking": "2026-03-03", "days": [day]}}
    _asked(monkeypatch, answers)

    _run(commands.locations_app, "capacity", "PAR", "--days", "1")
    told = capsys.readouterr()

    assert "2026-03-02  no     -" in told.out
    assert "work given now belongs to 2026-03-03" in told.err
