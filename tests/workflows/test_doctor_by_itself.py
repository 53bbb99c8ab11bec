"""The doctor inside a running relay: what it finds is raised for a person, with its order, without being asked."""

from typing import Any

import pytest
from sqlalchemy import text

from orderloom.settings import Settings
from tests.workflows.shop import Shop
from worker.examining import Examinations


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Return settings with a doctor that looks again at once."""
    return settings.model_copy(update={"doctor_every": 0.1})


async def _change(shop: Shop, statement: str) -> None:
    async with shop.stack.engine.begin() as conn:
        await conn.execute(text(statement))


@pytest.fixture
def examined(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return what each of the doctor's examinations has raised."""
    ended: list[int] = []
    turn = Examinations.turn

    async def noted(self: Examinations) -> int:
        ended.append(await turn(self))
        return ended[-1]

    monkeypatch.setattr(Examinations, "turn", noted)
    return ended


async def test_a_running_relay_raises_what_is_wrong_with_the_books(shop: Shop, examined: list[int]) -> None:
    """
    Nothing is raised of sound books. A counter and an order's line that are corrupted become an exception each, once;
    settled while the books are still wrong they come again, and repaired they do not.
    """
    order = await shop.place()
    await shop.until_journal(order, "fulfillment.created")
    await shop.until_quiet(order)

    async def raised() -> list[Any]:
        return (await shop.get("/v1/exceptions?code=doctor."))["items"]

    async def three() -> list[Any] | None:
        found = await raised()
        return found if len(found) == 3 else None

    assert await raised() == []
    await _change(shop, "UPDATE stock SET reserved = reserved + 1 WHERE sku = 'mug'")
    await _change(shop, f"UPDATE order_lines SET quantity = quantity + 3 WHERE order_id = '{order}' AND id = 'a'")
    first = await shop.until(three, lambda: "three exceptions")
    again = [one["id"] for one in await raised()]
    for each in first:
        await shop.resolve(each["id"], "resolved")
    anew = await shop.until(three, lambda: "the same three, anew")
    await _change(shop, "UPDATE stock SET reserved = reserved - 1 WHERE sku = 'mug'")
    await _change(shop, f"UPDATE order_lines SET quantity = quantity - 3 WHERE order_id = '{order}' AND id = 'a'")
    assert await shop.findings() == []
    # One that is under way may have seen the books as they were: settled before its end, they would come once more.
    before = len(examined)

    async def another() -> bool | None:
        return len(examined) >= before + 2 or None

    await shop.until(another, lambda: "an examination of the repaired books")
    for each in anew:
        await shop.resolve(each["id"], "resolved")

    told = {(each["code"], each["order"], each["attached_to"], each["flow"]) for each in first}
    assert told == {
        ("doctor.stock.reserved", None, "mug at vienna", "doctor"),
        ("doctor.groups.members", None, "mug at all reserved", "doctor"),
        ("doctor.units.placed", order, "line a quantity", "doctor"),
    }
    details = [each["detail"] for each in first if each["order"] == order]
    assert [detail.endswith("line a quantity: 4 expected, 1 found.") for detail in details] == [True]
    assert again == [each["id"] for each in first]
    assert {each["id"] for each in anew}.isdisjoint(again)
    assert await raised() == []
