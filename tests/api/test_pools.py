"""Routing pools and their waves over real HTTP: asked by a program and by `orderloom pools`."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from api.app import create_app
from orderloom.bootstrap.http_server import HttpServer, listen
from orderloom.cli.pools import pools_app
from orderloom.persistence.tables.fulfillment import routing_schedules
from orderloom.persistence.tables.waiting import proposals, waves
from tests.api.books import RESERVED, write_books
from tests.api.conftest import NOW, StubDelivery, dependencies

MINUTE = timedelta(minutes=1)
TOLD = {"at": "2026-03-01T12:00:00Z", "orders": 2, "routed": 1, "partial": 0, "unrouted": 1, "left_over": 0}
NONE = {"accepted": 0, "released": 0, "lapsed": 0}
UNDER_WAY = {"orders": 3, "routed": None, "partial": None, "unrouted": None, "left_over": None, "splits": None}


@pytest.fixture
async def api(seeded: AsyncEngine, delivery: StubDelivery) -> AsyncIterator[str]:
    """
    Return the URL of an API.

    Of pool ``eu/central`` three waves are over and one order waits, of ``idle`` one is under way, and ``new`` had none.
    """
    await write_books(seeded)
    over = {"at": NOW, "orders": 2, "routed": 1, "partial": 0, "unrouted": 1, "left_over": 0, "splits": 4}
    async with seeded.begin() as conn:
        for _ in range(3):
            await conn.execute(insert(waves).values(pool="eu/central", **over))
        await conn.execute(insert(waves).values(pool="idle", at=NOW, orders=3))
        scheduled = {"order_id": RESERVED, "status": "scheduled", "reason": "x", "scheduled_at": NOW}
        for number, pool, due in ((8, "eu/central", NOW), (9, "new", NOW + MINUTE)):
            row = {**scheduled, "number": number, "pool": pool, "due_at": due, "wave_by": due + MINUTE}
            await conn.execute(insert(routing_schedules).values(row))
        held = {"order_id": RESERVED, "group_id": "EU", "made_at": NOW, "expires_at": NOW + MINUTE, "wave_id": 3}
        await conn.execute(insert(proposals).values(**held, status="open"))
        for status, ago in (("accepted", 0), ("accepted", 59), ("lapsed", 59), ("released", 60), ("lapsed", 61)):
            await conn.execute(insert(proposals).values(**held, status=status, ended_at=NOW - ago * MINUTE))
    server = await HttpServer.start(
        create_app(dependencies(seeded, delivery)), "API", "127.0.0.1", listen("127.0.0.1", 0, "API")
    )
    yield server.url
    await server.stop()


async def _get(api: str, path: str, **params: Any) -> httpx.Response:
    async with httpx.AsyncClient(base_url=api) as http:
        return await http.get(path, params=params or None)


async def _pools(capsys: pytest.CaptureFixture[str], api: str, *words: str) -> tuple[int, str, str]:
    """Run ``orderloom pools`` and return its exit status, stdout and stderr."""

    def call() -> int:
        try:
            pools_app([*words, "--api", api], exit_on_error=False, result_action="return_value")
        except SystemExit as left:
            return int(left.code or 0)
        return 0

    status = await asyncio.to_thread(call)
    told = capsys.readouterr()
    return status, told.out, told.err


async def test_pools_are_listed_by_name(api: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with who waits and is due, when a wave is due, what is held, the hour's answers, and the last wave."""
    last = {"number": 3, **TOLD, "splits": 4}
    expected = [
        {
            "pool": "eu/central",
            "waiting": 1,
            "due": 1,
            "next_wave_at": "2026-03-01T12:01:00Z",
            "proposed": 1,
            "answers": {**NONE, "accepted": 2, "lapsed": 1},
            "last_wave": last,
        },
        {
            "pool": "idle",
            "waiting": 0,
            "due": 0,
            "next_wave_at": None,
            "proposed": 0,
            "answers": NONE,
            "last_wave": {"number": 4, "at": TOLD["at"], **UNDER_WAY},
        },
        {
            "pool": "new",
            "waiting": 1,
            "due": 0,
            "next_wave_at": "2026-03-01T12:02:00Z",
            "proposed": 0,
            "answers": NONE,
            "last_wave": None,
        },
    ]

    assert (await _get(api, "/v1/routing-pools")).json() == {"items": expected, "next": None}
    status, out, _ = await _pools(capsys, api, "list", "--json")
    assert (status, json.loads(out)["items"]) == (0, expected)


async def test_the_list_is_a_table_for_people(
    api: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a wave came to is said in words; what is not known is a dash."""
    monkeypatch.setenv("COLUMNS", "160")

    status, out, _ = await _pools(capsys, api, "list")

    rows = [line.split() for line in out.splitlines()]
    assert status == 0
    assert rows[1][-5:] == ["3", "1", "routed,", "1", "unrouted"]
    assert rows[1][-10:-5] == ["1", "2", "accepted,", "1", "lapsed"]
    assert rows[2] == ["idle", "0", "0", "-", "0", "-", "4", "under", "way"]
    assert rows[3][-2:] == ["-", "-"]


async def test_the_waves_of_one_pool_go_by_pages(api: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The latest first, two and then the third, under a name with a slash; those of other pools are not among them."""
    page = (await _get(api, "/v1/routing-pools/eu/central/waves", limit=2)).json()
    rest = (await _get(api, page["next"])).json()
    assert [each["number"] for each in page["items"]] == [3, 2]
    assert rest == {"items": [{"number": 1, **TOLD, "splits": 4}], "next": None}

    status, out, _ = await _pools(capsys, api, "waves", "eu/central", "--limit", "2", "--json")
    assert (status, json.loads(out)) == (0, page)
    status, out, _ = await _pools(capsys, api, "waves", "eu/central")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == ["number", "3", "2", "1"]


@pytest.mark.parametrize("name", ["nobody", "new", "idle2", "IDLE", "ü/?#%2F"])
async def test_a_pool_without_waves_has_none(api: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A pool is whatever a policy names, so no name is wrong: nothing is listed, and people are told so."""
    status, out, err = await _pools(capsys, api, "waves", name)

    assert (status, out, err) == (0, "", f"pool {name} has had no wave\n")


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 10_000}, {"after": 0}, {"after": "x"}, {"after": 10**30}])
async def test_a_page_that_cannot_be_is_refused(api: str, params: dict[str, Any]) -> None:
    """None at all, too many, or behind what is no number: the answer names the field."""
    answer = await _get(api, "/v1/routing-pools/eu/central/waves", **params)

    assert answer.status_code == 422
    assert answer.json()["code"] == "input.invalid"


async def test_the_command_tells_a_refusal(api: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What the API refuses is said on stderr; the exit status is 1, and nothing is listed."""
    status, out, err = await _pools(capsys, api, "waves", "eu/central", "--limit", "0")

    assert (status, out) == (1, "")
    assert "limit" in err
