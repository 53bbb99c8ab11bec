"""What may be sold ahead is listed, set and removed over HTTP and by command, and every change is on record."""

from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from api import examples
from orderloom.cli import calling_api
from orderloom.cli import sell_ahead as commands
from orderloom.persistence.world import World, load_world
from tests.api.conftest import NOW, count

NONE = {"backorder": False, "limit": None, "until": None, "release_at": None}
BLUE = {"channel": "web", "sku": "MUG-BLUE", **NONE, "backorder": True, "limit": 200, "until": "2026-12-20T00:00:00Z"}
RED = {"channel": None, "sku": "MUG-RED", **NONE, "release_at": "2027-01-15T00:00:00Z"}
WEB = {"channel": "web", "sku": None, **NONE, "backorder": True, "limit": 10}


async def post(http: httpx.AsyncClient, what: str, body: Any, key: str) -> httpx.Response:
    return await http.post(f"/v1/sell-ahead/{what}", json=body, headers={"Idempotency-Key": key})


async def get(http: httpx.AsyncClient, path: str = "", **params: Any) -> Any:
    return (await http.get(f"/v1/sell-ahead{path}", params=params)).json()


async def left(http: httpx.AsyncClient, sku: str) -> tuple[bool, int | None]:
    """Return whether the web shop may sell *sku* ahead, and how many."""
    answer = await http.get("/v1/availability", params={"skus": sku, "groups": "EU", "channel": "web"})
    told = answer.json()["items"][0]["sell_ahead"]
    return told["backorder"], told["left"]


@pytest.fixture
async def stocked(seeded: AsyncEngine) -> AsyncEngine:
    """Return the seeded database with a group that is asked for what may be promised."""
    world = {
        "locations": [{"id": "BER", "country": "DE"}],
        "groups": [{"id": "EU", "locations": ["BER"]}],
        "stock": [{"location": "BER", "sku": "MUG-BLUE", "on_hand": 0}],
    }
    async with seeded.begin() as conn:
        await load_world(conn, World.model_validate(world), NOW)
    return seeded


async def test_what_is_set_is_in_force_until_it_is_removed(http: httpx.AsyncClient, stocked: AsyncEngine) -> None:
    """The SKU's own policy counts first; removed, the channel's default does; removed too, the channel's own word."""
    first = await post(http, "set", examples.SET_SELL_AHEAD, "s")
    again = await post(http, "set", examples.SET_SELL_AHEAD, "s")
    assert first.status_code == 200
    assert (again.content, again.headers["Idempotent-Replayed"]) == (first.content, "true")
    assert (await get(http))["items"] == [RED, WEB, BLUE]
    assert (await get(http, sku="MUG-RED"))["items"] == [RED]
    assert await left(http, "MUG-BLUE") == (True, 200)

    removed = await post(http, "remove", examples.REMOVE_SELL_AHEAD, "r")
    assert removed.status_code == 200
    assert (await get(http))["items"] == [RED, WEB]
    assert await left(http, "MUG-BLUE") == (True, 10)

    await post(http, "remove", {"policies": [{"channel": "web"}]}, "r2")
    assert await left(http, "MUG-BLUE") == (True, None)


async def test_every_change_is_on_record(http: httpx.AsyncClient, stocked: AsyncEngine) -> None:
    """Each change tells what was before, what is, who and why; setting what is in force changes nothing."""
    await post(http, "set", examples.SET_SELL_AHEAD, "1")
    unchanged = await post(http, "set", examples.SET_SELL_AHEAD, "2")
    fewer = {"policies": [{"channel": "web", "backorder": True, "limit": 5}], "reason": "too many"}
    changed = await post(http, "set", fewer, "3")
    await post(http, "remove", examples.REMOVE_SELL_AHEAD, "4")

    assert unchanged.json() == {"changes": []}
    terms = {name: WEB[name] for name in NONE}
    assert changed.json()["changes"] == [
        {
            "channel": "web",
            "sku": None,
            "number": 4,
            "before": terms,
            "after": {**terms, "limit": 5},
            "by": "operators",
            "reason": "too many",
            "at": "2026-03-01T12:00:00Z",
        }
    ]
    told = (await get(http, "/changes"))["items"]
    assert [(each["number"], each["channel"], each["sku"], each["by"]) for each in told] == [
        (5, "web", "MUG-BLUE", "ada"),
        (4, "web", None, "operators"),
        (3, "web", None, "ada"),
        (2, None, "MUG-RED", "ada"),
        (1, "web", "MUG-BLUE", "ada"),
    ]
    assert (told[0]["before"], told[0]["after"]) == ({name: BLUE[name] for name in NONE}, None)
    assert [each["number"] for each in (await get(http, "/changes", sku="MUG-BLUE"))["items"]] == [5, 1]


async def test_lists_go_by_pages(http: httpx.AsyncClient, stocked: AsyncEngine) -> None:
    """Two policies of three and then the third; no policy comes twice or is passed over."""
    await post(http, "set", examples.SET_SELL_AHEAD, "1")
    for path, expected in (("", [RED, WEB, BLUE]), ("/changes", [3, 2, 1])):
        page = await get(http, path, limit=2)
        rest = (await http.get(page["next"])).json()
        items = page["items"] + rest["items"]
        assert (items if path == "" else [each["number"] for each in items]) == expected
        assert rest["next"] is None


@pytest.mark.parametrize(
    ("what", "policies", "expected"),
    [
        ("set", [{"sku": "X", "backorder": True}, {"channel": "mars"}], ["sku.unknown", "channel.unknown"]),
        ("set", [{"backorder": True}], ["sell_ahead.of_nothing"]),
        ("set", [{"sku": "MUG-BLUE", "limit": 3}], ["sell_ahead.no_backorder"]),
        ("set", [{"sku": "MUG-BLUE"}, {"sku": "MUG-BLUE", "backorder": True}], ["sell_ahead.twice"]),
        ("remove", [{"channel": "web"}, {"sku": "MUG-RED"}], ["sell_ahead.unknown"]),
    ],
)
async def test_what_cannot_be_is_refused_whole(
    http: httpx.AsyncClient, stocked: AsyncEngine, what: str, policies: list[Any], expected: list[str]
) -> None:
    """Each wrong policy is named with its reason; nothing is changed by those beside it, and nothing is on record."""
    await post(http, "set", {"policies": [{"sku": "MUG-RED", "backorder": True}]}, "before")
    answer = await post(http, what, {"policies": policies}, "k")

    assert answer.status_code == (404 if what == "remove" else 422)
    assert [each["code"] for each in answer.json()["errors"]] == expected
    assert await count(stocked, "sell_ahead", "sell_ahead_changes") == [1, 1]


async def test_a_world_that_is_loaded_is_on_record_too(http: httpx.AsyncClient, stocked: AsyncEngine) -> None:
    """What a world says is a change like any other; loaded again it is none."""
    world = World.model_validate({"sell_ahead": [{"sku": "MUG-RED", "backorder": True}]})
    for _ in range(2):
        async with stocked.begin() as conn:
            await load_world(conn, world, NOW)

    told = (await get(http, "/changes"))["items"]
    assert [(each["sku"], each["by"], each["before"]) for each in told] == [("MUG-RED", "world", None)]


def test_commands_ask_what_they_say(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Set and remove send one policy with who and why; list shows all pages."""
    asked: list[tuple[str, str, Any]] = []
    change = {"before": None, "after": {name: BLUE[name] for name in NONE}}
    answers: dict[tuple[str, str], Any] = {
        ("POST", "/v1/sell-ahead/set"): {"changes": [change]},
        ("POST", "/v1/sell-ahead/remove"): {"changes": [{"before": change["after"], "after": None}]},
        ("GET", "/v1/sell-ahead"): {"items": [RED], "next": "/v1/sell-ahead?after=+MUG-RED"},
        ("GET", "/v1/sell-ahead?after=+MUG-RED"): {"items": [BLUE], "next": None},
    }

    def ask(_: httpx.Client, method: str, path: str, **more: Any) -> Any:
        asked.append((method, path, more.get("json")))
        return answers[method, path]

    monkeypatch.setattr(commands, "ask", ask)
    monkeypatch.setattr(calling_api, "ask", ask)
    of = ("--channel", "web", "--sku", "MUG-BLUE", "--by", "ada")
    commands.sell_ahead_app(("set", *of, "--backorder", "--limit", "200"), result_action="return_value")
    commands.sell_ahead_app(("remove", *of, "--reason", "over"), result_action="return_value")
    commands.sell_ahead_app(("list",), result_action="return_value")
    told = capsys.readouterr().out

    key = {"channel": "web", "sku": "MUG-BLUE"}
    assert asked[:2] == [
        (
            "POST",
            "/v1/sell-ahead/set",
            {"policies": [{**key, "backorder": True, "limit": 200}], "by": "ada", "reason": ""},
        ),
        ("POST", "/v1/sell-ahead/remove", {"policies": [key], "by": "ada", "reason": "over"}),
    ]
    assert "MUG-BLUE in web: backorders, up to 200, until 2026-12-20T00:00:00Z; before: no policy" in told
    assert "MUG-BLUE in web: no policy; before: backorders" in told
    assert told.index("MUG-RED") < told.index("web      MUG-BLUE")
