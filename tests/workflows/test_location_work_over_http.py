"""Location work as its callers get it wrong: bad quantities, late, twice, and all at the same moment."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import text

from orderloom.domain.model import JsonObject
from orderloom.persistence.world import Group, Location, Stock, World, load_world
from tests.workflows.shop import OPENED, PRICES, Shop

LAMPS = 6
COMMANDS: dict[str, JsonObject] = {
    "hold": {"reason": "x"},
    "move": {"location": "graz"},
    "split": {"lines": [{"line": "b", "quantity": 1}]},
    "cancel-lines": {"lines": [{"line": "b", "quantity": 1}]},
}


@pytest.fixture
async def order(shop: Shop) -> str:
    """Return an order of one mug and six lamps that is allocated at one of two locations."""
    async with shop.stack.engine.begin() as conn:
        graz = Location(id="graz", country="AT", latitude=47.1, longitude=15.4)
        await load_world(
            conn,
            World(
                locations=[graz],
                groups=[Group(id="all", locations=["graz", "vienna"])],
                stock=[Stock(location="graz", sku=sku, on_hand=10) for sku in PRICES],
            ),
            OPENED,
        )
    order = await shop.place(lamps=LAMPS)
    await shop.until_journal(order, "fulfillment.created")
    await shop.until_quiet(order)
    return order


async def _ask(shop: Shop, order: str, action: str, body: JsonObject, key: str | None = None) -> Any:
    answer = await shop.post(f"/v1/fulfillment-orders/{order}-F1/{action}", body, key)
    return answer.status_code, answer.json().get("code")


async def _standing(shop: Shop, order: str) -> Any:
    view = await shop.get(f"/v1/orders/{order}")
    return view["items"], view["fulfillment_orders"]


@pytest.mark.parametrize("quantity", [0, -1, LAMPS + 1, 10**12, 1.5, "2", None])
@pytest.mark.parametrize("action", ["split", "cancel-lines", "rejected", "picked", "shipped"])
async def test_a_quantity_that_cannot_be_changes_nothing(shop: Shop, order: str, action: str, quantity: Any) -> None:
    """None, fewer than none, more than there are, or no number: refused, or on record as unexpected."""
    before = await _standing(shop, order)
    lines: dict[str, Any] = {"lines": [{"line": "b", "quantity": quantity}]}

    if action in COMMANDS:
        status, _ = await _ask(shop, order, action, lines)
        assert status == (409 if quantity == LAMPS + 1 else 422)
    else:
        status = (await shop.report(order, action, **lines)).status_code
        assert status == (202 if quantity == LAMPS + 1 else 422)
        if status == 202:
            await shop.until_journal(order, "event.unexpected")
    await shop.until_quiet(order)
    assert await _standing(shop, order) == before
    assert {type for type in await shop.journal(order) if type.startswith("fulfillment.")} == {"fulfillment.created"}


async def test_lines_that_are_named_twice_are_added_up(shop: Shop, order: str) -> None:
    """Twice four of six lamps are too many, whether a person or a location says it; nothing is taken away."""
    before = await _standing(shop, order)
    lines: dict[str, Any] = {"lines": [{"line": "b", "quantity": 4}, {"line": "b", "quantity": 4}]}

    assert [(await _ask(shop, order, action, lines))[0] for action in ("split", "cancel-lines")] == [409, 409]
    assert (await shop.report(order, "rejected", **lines)).status_code == 202
    await shop.until_journal(order, "event.unexpected")

    assert await _standing(shop, order) == before


async def test_nothing_is_done_for_an_order_that_is_cancelled(shop: Shop, order: str) -> None:
    """Each command is refused, each report on record as unexpected, and what was released stays released."""
    items: list[Any] = [{"line": "a", "quantity": 1}, {"line": "b", "quantity": LAMPS}]
    await shop.post(f"/v1/orders/{order}/cancel-items", {"items": items})
    await shop.until_journal(order, "order.cancelled")
    await shop.until_quiet(order)
    before = await _standing(shop, order)

    refused = [await _ask(shop, order, action, body) for action, body in {**COMMANDS, "release": {}}.items()]
    for number, kind in enumerate(("accepted", "rejected", "picked", "shipped"), 1):
        assert (await shop.report(order, kind)).status_code == 202
        await shop.until_journal(order, "event.unexpected", number)

    assert refused == [(409, "fulfillment_order.refused")] * 5
    assert await _standing(shop, order) == before
    assert await shop.findings() == []


async def test_a_command_that_is_repeated_is_done_once(shop: Shop, order: str) -> None:
    """The same key gets the same answer; the journal has each change once, and the parts add up."""
    for action, body in {"split": COMMANDS["split"], "cancel-lines": COMMANDS["cancel-lines"]}.items():
        answers = [await _ask(shop, order, action, body, key=f"once-{action}") for _ in range(3)]
        assert answers == [(200, None)] * 3
    assert await _ask(shop, order, "split", {"lines": [{"line": "b", "quantity": 2}]}, key="once-split") == (
        422,
        "idempotency.key_reused",
    )

    journal = Counter(await shop.journal(order))
    assert (journal["fulfillment.split"], journal["fulfillment.reduced"]) == (1, 1)
    assert await _lamps(shop, order) == {f"{order}-F1": LAMPS - 2, f"{order}-F2": 1}


async def test_all_at_once_nothing_is_lost(shop: Shop, order: str) -> None:
    """Split, moved, cut, held, cancelled and reported at the same moment: all units are there, the books balance."""
    cancel: JsonObject = {"items": [{"line": "b", "quantity": 1}]}
    asked = [
        *(_ask(shop, order, action, body) for action, body in COMMANDS.items() for _ in range(3)),
        shop.report(order, "accepted"),
        shop.report(order, "rejected", lines=[{"line": "b", "quantity": 1}], reason="just_sold"),
        shop.report(order, "picked"),
        shop.post(f"/v1/orders/{order}/cancel-items", cancel),
        shop.post(f"/v1/orders/{order}/route", {}),
    ]

    await asyncio.gather(*asked)
    await shop.until_quiet(order)

    view = await shop.get(f"/v1/orders/{order}")
    lamps = next(item for item in view["items"] if item["id"] == "b")["quantities"]
    assert lamps["ordered"] == LAMPS
    assert sum((await _lamps(shop, order)).values()) == lamps["allocated"]
    assert await shop.findings() == []
    assert [one for one in (await shop.get(f"/v1/exceptions?order={order}"))["items"] if one["waiting"]] == []


async def _lamps(shop: Shop, order: str) -> dict[str, int]:
    """Return how many lamps each fulfillment order holds, without those that hold none."""
    query = text(
        "SELECT fulfillment_order_id, SUM(quantity)::int AS held FROM unit_entries WHERE order_id = :of_order "
        "AND line_id = 'b' AND state = 'allocated' GROUP BY 1 HAVING SUM(quantity) <> 0 ORDER BY 1"
    )
    async with shop.stack.engine.connect() as conn:
        return {row.fulfillment_order_id: row.held for row in await conn.execute(query, {"of_order": order})}
