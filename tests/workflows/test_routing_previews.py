"""Routes looked at beforehand, and drafts of policies tried on what attempts saw: nothing is written, nobody woken."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from flows_dsl.policies import holds, read_policy
from orderloom.cli.orders import orders_app
from orderloom.domain.locations import LocationTraits, ShippingCost
from orderloom.domain.model import JsonObject
from orderloom.domain.parts import Routing
from orderloom.domain.router import attempt
from orderloom.domain.solver import find_routes
from orderloom.persistence.policies import activate_policy, publish_policy
from orderloom.persistence.world import Group, Location, Stock, World, load_world
from orderloom.readmodels.attempts import past_attempts, policy_of
from orderloom.readmodels.snapshot import snapshot
from orderloom.stack import Stack
from tests.command import orderloom
from tests.workflows.shop import OPENED, Shop, order_body
from tests.workflows.states import state

CHEAP = """
name: cheap
version: 2.0.0
objectives: [shipping_cost, fewest_splits]
"""
NEAR = "name: near\nversion: 1.0.0\neligible: {when: 'location.id == \"nowhere\"'}\n"


@pytest.fixture
async def shop(stack: Stack) -> Shop:
    """Return a shop with three locations: vienna has all and is dear, graz and linz have half each and are cheap."""
    dear, cheap = (LocationTraits(shipping=ShippingCost(fixed=fixed)) for fixed in (5_000, 100))
    async with stack.engine.begin() as conn:
        await load_world(
            conn,
            World(
                locations=[
                    Location(id="vienna", country="AT", latitude=48.2, longitude=16.4, traits=dear),
                    Location(id="graz", country="AT", latitude=47.1, longitude=15.4, traits=cheap),
                    Location(id="linz", country="AT", latitude=48.3, longitude=14.3, traits=cheap),
                ],
                groups=[Group(id="all", locations=["vienna", "graz", "linz"])],
                stock=[
                    Stock(location="vienna", sku="mug", on_hand=30),
                    Stock(location="graz", sku="mug", on_hand=6),
                    Stock(location="linz", sku="mug", on_hand=5),
                ],
            ),
            OPENED,
        )
    return Shop(stack)


async def _place(shop: Shop, name: str, mugs: int) -> str:
    body = order_body(name, authorised=False)
    amount: JsonObject = {"amount": 1_500 * mugs, "currency": "EUR"}
    body["lines"] = [{"id": "a", "sku": "mug", "quantity": mugs, "unit_price": {"amount": 1_500, "currency": "EUR"}}]
    body["payments"] = [{"method": "card", "gateway": "sandbox", "token": "tok_ok", "amount": amount}]
    group: Any = body["delivery_groups"]
    group[0]["position"] = {"latitude": 48.2, "longitude": 16.4}
    answer = await shop.post("/v1/orders", body)
    assert answer.status_code == 201, answer.text
    order = str(answer.json()["id"])
    await shop.until_journal(order, "routing.attempted")
    await shop.until_quiet(order)
    return order


async def _preview(shop: Shop, order: str, **what: Any) -> tuple[int, Any]:
    answer = await shop.post(f"/v1/orders/{order}/routing-preview", what)
    return answer.status_code, answer.json()


async def command(
    capsys: pytest.CaptureFixture[str], app: Any, words: Sequence[str], more: Sequence[str] = ()
) -> tuple[int, str, str]:
    """Run a command and return its exit status, stdout and stderr."""

    def call() -> int:
        try:
            app([*words, *more], exit_on_error=False, result_action="return_value")
        except SystemExit as left:
            return int(left.code or 0)
        return 0

    status = await asyncio.to_thread(call)
    told = capsys.readouterr()
    return status, told.out, told.err


async def test_a_preview_says_what_would_be_and_touches_nothing(
    shop: Shop, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Another policy, other stock, fewer locations, each split limit: no row is written and no workflow is woken."""
    order = await _place(shop, "P-1", 50)  # 41 are there
    before, history = await state(shop), (await shop.describe(order)).history_length

    _, plain = await _preview(shop, order)
    assert (plain["routing"]["outcome"], plain["differs"], plain["changes"]) == ("NO_STOCK", False, [])
    assert plain["routing"]["parts"][0]["answer"]["short"] == [{"sku": "mug", "quantity": 9}]
    assert plain["policy"] == plain["own_policy"] == "default:1.0.0"

    _, more = await _preview(
        shop, order, stock={"vienna": {"mug": 60}, "linz": {"mug": 25}, "graz": {"mug": 25}}, trade_off=3
    )
    assert (more["routing"]["outcome"], more["figures"]["locations"], more["differs"]) == ("ROUTED", ["vienna"], True)
    assert (more["own"]["outcome"], more["own"]["units"]) == ("NO_STOCK", 0)
    assert {one["figure"] for one in more["changes"]} == {"shipments", "units", "cost"}
    assert [point["figures"]["cost"] for point in more["trade_off"]] == [5_000, 5_000]

    policy = {"name": "cheap", "version": "2.0.0", "objectives": ["shipping_cost", "fewest_splits"]}
    stock = {"linz": {"mug": 25}, "graz": {"mug": 25}, "vienna": {"mug": 60}}
    _, cheap = await _preview(shop, order, policy=policy, stock=stock)
    assert (cheap["policy"], cheap["figures"]["locations"], cheap["figures"]["cost"]) == (
        "cheap:2.0.0",
        ["graz", "linz"],
        200,
    )
    assert [each["eligible"] for each in cheap["fates"][0]] == [True, True, True]

    _, without = await _preview(shop, order, stock=stock, without=["vienna"])
    assert without["figures"]["locations"] == ["graz", "linz"]
    assert [each["location"] for each in without["fates"][0]] == ["graz", "linz"]

    for name in ("default", "default:1.0.0"):
        _, built_in = await _preview(shop, order, policy=name)
        assert {**built_in, "routing": None} == {**plain, "routing": None, "at": built_in["at"]}
        assert _untimed(built_in["routing"]) == _untimed(plain["routing"])

    file = tmp_path / "cheap.yaml"
    file.write_text(CHEAP, "utf-8")
    words = ["route-preview", order, "--policy", str(file), "--stock", "linz:mug=25", "--stock", "graz:mug=25"]
    status, out, _ = await command(capsys, orders_app, words, ["--trade-off", "2", "--api", shop.stack.api_url])
    assert status == 0
    assert f"{order}  cheap:2.0.0  ROUTED" in out
    assert "1. graz: 25 mug, linz: 25 mug" in out
    assert "by default:1.0.0 as things are: NO_STOCK" in out
    assert "split limit" in out

    assert await state(shop) == before
    assert (await shop.describe(order)).history_length == history


def _untimed(routing: Any) -> Any:
    """Return the routing of a preview without how long the search took."""
    return [{**part, "answer": {**part["answer"], "seconds": 0}} for part in routing["parts"]]


async def test_the_built_in_policy_is_previewed_beside_another(shop: Shop) -> None:
    """`default` needs no publishing: an order under a policy of its channel is shown what it would be without that."""
    async with shop.stack.engine.begin() as conn:
        cheap = read_policy(CHEAP)[0]
        assert cheap is not None
        await publish_policy(conn, cheap, CHEAP, OPENED)
        await activate_policy(conn, "web", "cheap", "ada", "", OPENED)
    order = await _place(shop, "D-1", 10)
    before = await state(shop)

    _, found = await _preview(shop, order, policy="default", attempt=1)

    assert (found["own_policy"], sorted(found["own"]["locations"]), found["own"]["cost"]) == (
        "cheap:2.0.0",
        ["graz", "linz"],
        200,
    )
    assert (found["policy"], found["figures"]["locations"], found["figures"]["cost"]) == (
        "default:1.0.0",
        ["vienna"],
        5_000,
    )
    assert found["differs"] is True
    assert await state(shop) == before


async def test_what_cannot_be_previewed_is_refused(shop: Shop) -> None:
    """No such order, policy or attempt; a policy with findings; stock elsewhere; an order that waits for nothing."""
    order, routed = await _place(shop, "P-1", 50), await _place(shop, "P-2", 2)

    async def refused(order: str, **what: Any) -> tuple[int, str]:
        status, problem = await _preview(shop, order, **what)
        return status, problem["code"]

    assert await refused("999999") == (404, "order.unknown")
    assert await refused(routed) == (409, "order.moved")
    assert await refused(order, policy="cheap") == (404, "policy.unknown")
    assert await refused(order, policy={"name": "x", "version": "1.0.0", "objectives": ["luck"]}) == (
        422,
        "input.invalid",
    )
    assert await refused(order, attempt=7) == (404, "not_found")
    assert await refused(order, stock={"rome": {"mug": 1}}) == (422, "input.invalid")
    _, again = await _preview(shop, routed, attempt=1, without=["vienna"])
    assert (again["own"]["locations"], again["figures"]["locations"]) == (["vienna"], ["graz"])


async def _shadow(shop: Shop, *words: str) -> tuple[int | None, str]:
    """Run ``orderloom policies shadow`` and return its exit status and stdout."""
    url = shop.stack.settings.database_url or ""
    return await orderloom("policies", "shadow", *words, DATABASE_URL=url, COLUMNS="160")


async def test_a_draft_is_tried_on_what_attempts_saw(shop: Shop, tmp_path: Path) -> None:
    """The orders that differ, figures of both, and sums; nothing is written, and stock of now does not matter."""
    orders = [await _place(shop, f"S-{mugs}", mugs) for mugs in (10, 2, 50)]
    async with shop.stack.engine.begin() as conn:
        await conn.execute(text("UPDATE stock SET on_hand = 0, reserved = 0"))
    draft = tmp_path / "cheap.yaml"
    draft.write_text(CHEAP, "utf-8")
    before = await state(shop)

    status, out = await _shadow(shop, str(draft), "--since", "1h", "--json")
    *each, sums = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert [(one["order"], one["active"]["locations"], sorted(one["draft"]["locations"])) for one in each] == [
        (orders[0], ["vienna"], ["graz", "linz"]),
        (orders[1], ["vienna"], ["graz"]),
    ]
    assert (sums["attempts"], sums["differ"], sums["compared"]) == (3, 2, 2)
    totals = {one["figure"]: (one["active"], one["draft"]) for one in sums["totals"]}
    assert (totals["cost"], totals["splits"], totals["units"]) == ((10_000, 300), (0, 1), (12, 12))
    assert sums["routed"] == {"figure": "routed", "active": 2, "draft": 2}

    status, out = await _shadow(shop, str(draft), "--since", "1h", "--show", "1")
    assert "2 of 3 attempts differ (1 more are not shown); nothing was changed" in out
    assert "10000" in out
    assert "-9700" in out

    draft.write_text(NEAR, "utf-8")
    status, out = await _shadow(shop, str(draft), "--json")
    sums = json.loads(out.splitlines()[-1])
    assert (sums["differ"], sums["routed"]["draft"], sums["compared"]) == (3, 0, 0)
    status, out = await _shadow(shop, str(draft), "--since", "2199-01-01T00:00", "--json")
    assert (status, json.loads(out)["attempts"]) == (0, 0)
    assert await state(shop) == before


def _timeless(routing: Routing) -> Routing:
    """Return *routing* without how long the search took."""
    parts = (
        part.model_copy(update={"answer": part.answer.model_copy(update={"seconds": 0.0})}) for part in routing.parts
    )
    return routing.model_copy(update={"parts": tuple(parts)})


async def test_the_policy_in_force_tried_again_says_what_was(shop: Shop) -> None:
    """What an attempt stored is all that its answer depended on."""
    for mugs in (3, 40, 60):
        await _place(shop, f"A-{mugs}", mugs)
    async with snapshot(shop.stack.engine) as conn:
        active = await policy_of(conn, "web")
        assert active is not None
        now = shop.stack.clock.now()
        past = [one async for one in past_attempts(conn, "web", now.replace(year=now.year - 1), now)]
    assert len(past) == 3
    for one in past:
        anew = attempt(active, one.situation, holds, find_routes).routing
        assert _timeless(anew) == _timeless(one.routing)
