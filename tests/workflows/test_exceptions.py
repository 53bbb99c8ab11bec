"""Process exceptions as people work with them: their life, many at once, and what time does to them."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from orderloom.persistence.exceptions import Raised, raise_found
from orderloom.persistence.tables.intake import intake
from orderloom.persistence.tables.operations import process_exceptions
from orderloom.persistence.timers import NOT_ACCEPTED
from tests.workflows.shop import BROKEN, Shop
from tests.workflows.test_deciding import RAISING, command

WITHOUT_ORDER = {
    "number": 1,
    "category": "Return",
    "code": "import.charge",
    "detail": "row 3",
    "severity": "Low",
    "priority": "Low",
    "status": "new",
}


@pytest.fixture
def flows() -> Sequence[str]:
    """Return a flow that waits, and one that tells people of something."""
    return (BROKEN, RAISING)


async def change(shop: Shop, exception: str, key: str | None = None, **what: Any) -> Any:
    """Change an exception over the API; return status and body of the answer."""
    answer = await shop.post(f"/v1/exceptions/{exception}/change", what, key)
    return answer.status_code, answer.json()


async def two(shop: Shop) -> tuple[str, Any, Any]:
    """Place an order; return it, the exception at which a flow waits, and the one at which none does."""
    order = await shop.place()
    found = sorted(await shop.exceptions(order, 2), key=lambda one: one["waiting"] is None)
    return order, found[0], found[1]


async def open_of(shop: Shop, order: str) -> int:
    """Return how many the order counts."""
    listed = await shop.get("/v1/orders?limit=200")
    (row,) = [one for one in listed["items"] if one["id"] == order]
    return int(row["open_exceptions"])


async def test_a_life_with_everyone_who_had_a_hand_in_it(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """Each change says who, when and why; what may not follow changes nothing; only active ones count."""
    order, waits, told = await two(shop)
    assert (waits["severity"], waits["owner"], waits["version"], waits["active"]) == ("High", None, 0, True)
    raised, due = (datetime.fromisoformat(told[name]) for name in ("created_at", "deadline"))
    assert due - raised == timedelta(hours=4)
    assert await open_of(shop, order) == 2

    assert (await change(shop, waits["id"], owner="ines", status="triaged", by="max", reason="hers"))[0] == 200
    status, out, _ = await command(
        capsys, shop, "pause", waits["id"], "--by", "ines", "--reason", "asked the warehouse"
    )
    assert (status, out.startswith(f"{waits['id']}: pause is on record, as number")) == (0, True)
    assert await open_of(shop, order) == 1
    status, refused = await change(shop, waits["id"], status="voided")
    assert (status, refused["code"]) == (409, "exception.flow_waits")
    assert (await change(shop, told["id"], status="voided", by="max", reason="a test"))[0] == 200
    assert await open_of(shop, order) == 0
    status, refused = await change(shop, told["id"], status="triaged")
    assert (status, refused["code"]) == (409, "exception.closed")

    paused = await shop.get(f"/v1/exceptions/{waits['id']}")
    assert [(one["by"], one["reason"], one["changes"]) for one in paused["changes"]] == [
        ("max", "hers", {"status": {"from": "new", "to": "triaged"}, "owner": {"from": None, "to": "ines"}}),
        ("ines", "asked the warehouse", {"status": {"from": "triaged", "to": "paused"}}),
    ]
    assert (paused["version"], paused["active"], paused["owner"]) == (2, False, "ines")
    journaled = await shop.events(order, "exception.change")
    assert [data for _, data in journaled] == [
        {"exception": waits["id"], "changed": ["owner", "status"], "status": "triaged"},
        {"exception": waits["id"], "changed": ["status"], "status": "paused"},
        {"exception": told["id"], "changed": ["status"], "status": "voided"},
    ]

    await shop.resolve(waits["id"], "skip", output={"invoice": "by-hand", "total": 1}, by="ines", reason="done by hand")
    await shop.until_journal(order, "test.over")
    settled = await shop.get(f"/v1/exceptions/{waits['id']}")
    assert (settled["status"], settled["changes"][2]["by"]) == ("resolved", "ines")
    assert settled["changes"][2]["changes"] == {"status": {"from": "paused", "to": "resolved"}, "decided": "skip"}
    assert {one["reason"] for one in settled["allowed_actions"]} == {"it is resolved"}
    assert "done by hand" not in json.dumps(await shop.events(order, ""))


async def test_a_change_that_is_repeated_is_made_once(shop: Shop) -> None:
    """The same key is answered as before, whether the exception belongs to an order or to none."""
    order, waits, _ = await two(shop)
    async with shop.stack.engine.begin() as conn:
        row = {"id": "I.3", "created_at": shop.stack.clock.now(), **WITHOUT_ORDER}
        await conn.execute(insert(process_exceptions).values(row))

    for exception in (waits["id"], "I.3"):
        for _ in range(2):
            status, _ = await change(shop, exception, f"k-{exception}", owner="ines", by="max")
            assert status == 200
        found = await shop.get(f"/v1/exceptions/{exception}")
        assert (found["owner"], found["version"]) == ("ines", 1)
    assert (await shop.journal(order)).count("exception.change.requested") == 1


async def test_the_list_is_asked_by_what_matters(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """Status, category, code, severity, owner and deadline; pages follow one another with the same question."""
    first, waits, told = await two(shop)
    second, *_ = await two(shop)
    await change(shop, waits["id"], owner="ines", deadline="2020-01-01T00:00:00Z", status="triaged")
    await change(shop, told["id"], status="ignored")

    async def ids(query: str) -> list[str]:
        page = await shop.get(f"/v1/exceptions?{query}")
        found = [one["id"] for one in page["items"]]
        while page["next"]:
            page = await shop.get(page["next"])
            found += [one["id"] for one in page["items"]]
        return found

    assert await ids("owner=ines") == [waits["id"]] == await ids("overdue=true") == await ids("status=triaged")
    assert await ids("status=inactive") == [told["id"]] == await ids("status=ignored")
    assert len(await ids("status=active")) == 3 == len(await ids("limit=1"))
    assert len(await ids("owner=-")) == 2
    assert len(await ids("status=all")) == 4 == len(await ids("status=all&limit=3"))
    assert await ids("category=Payment") == [
        one["id"] for one in await shop.exceptions(second, 2) if one["code"] == "test.look"
    ]
    assert await ids(f"code=test.&order={first}&status=all") == [told["id"]]
    assert await ids("code=test") == [] == await ids("severity=Low") == await ids("older_than=3600")
    status, out, _ = await command(
        capsys, shop, "list", "--where", "status=all,code=test.look", "--where", f"order={first}"
    )
    assert (status, out.split()[0], " ignored " in out) == (0, told["id"], True)
    status, _, _ = await command(capsys, shop, "list", "--where", "overdue=true,older-than=0s")
    assert status == 0


async def test_a_deadline_that_passes_is_told_of_once(shop: Shop) -> None:
    """The order's journal has it, the priority is high; one that is paused meanwhile is not told of."""
    order, waits, told = await two(shop)
    past = (shop.stack.clock.now() - timedelta(minutes=1)).isoformat()
    async with shop.stack.engine.begin() as conn:
        row = {"id": "I.9", "created_at": shop.stack.clock.now(), "deadline": shop.stack.clock.now(), **WITHOUT_ORDER}
        await conn.execute(insert(process_exceptions).values(row))
    await change(shop, told["id"], status="paused")
    await change(shop, told["id"], deadline=past)
    await change(shop, waits["id"], deadline=past, priority="Low")

    await shop.until_journal(order, "exception.deadline.passed")

    async def escalated() -> bool | None:
        return (await shop.get("/v1/exceptions/I.9"))["escalated_at"] is not None or None

    await shop.until(escalated, lambda: "I.9 is escalated")
    late = await shop.get(f"/v1/exceptions/{waits['id']}")
    assert (late["priority"], late["status"], late["changes"][-1]["by"]) == ("High", "new", "timer")
    assert late["changes"][-1]["changes"] == {"escalated": {"from": "Low", "to": "High"}}
    nobodys = await shop.get("/v1/exceptions/I.9")
    assert (nobodys["priority"], nobodys["version"]) == ("High", 1)
    assert (await shop.get(f"/v1/exceptions/{told['id']}"))["escalated_at"] is None
    assert (await shop.journal(order)).count("exception.deadline.passed") == 1


@pytest.mark.parametrize("about_order", [True, False])
async def test_what_is_found_is_raised_once(shop: Shop, about_order: bool) -> None:
    """Found again it is the same exception, until that one is settled; then it is a new one."""
    order = (await two(shop))[0] if about_order else None
    engine, found = (
        shop.stack.engine,
        Raised(category="Fulfillment", code="doctor.stock", detail="3 ≠ 4", source="doctor"),
    )

    async def raised() -> list[Any]:
        return [one for one in (await shop.get("/v1/exceptions?code=doctor."))["items"] if one["order"] == order]

    async def once() -> Any:
        seen = await raised()
        return seen[0] if len(seen) == 1 else None

    for new in (True, False):
        assert await raise_found(engine, shop.stack.vault, order, found, shop.stack.clock.now()) is new
        first = await shop.until(once, lambda: "it is raised")
    assert (first["flow"], first["category"], first["detail"]) == ("doctor", "Fulfillment", "3 ≠ 4")

    await shop.resolve(first["id"], "resolved")
    assert await raised() == []
    assert await raise_found(engine, shop.stack.vault, order, found, shop.stack.clock.now()) is True
    second = await shop.until(once, lambda: "it is raised again")
    assert second["id"] != first["id"]


@pytest.mark.parametrize("policy", [{"exceptions": {"accept_within": 0.5}}])
@pytest.mark.parametrize("flows", [()])
async def test_a_location_that_does_not_answer_is_told_of(shop: Shop) -> None:
    """The exception names the fulfillment order; the timer raises it once, and none where the location accepted."""
    order, accepted = await shop.place(), await shop.place()
    await shop.until_journal(accepted, "fulfillment.created")
    await shop.report(accepted, "accepted")

    (exception,) = await shop.exceptions(order)

    assert (exception["code"], exception["attached_to"]) == (NOT_ACCEPTED, f"{order}-F1")
    assert (exception["category"], exception["flow"]) == ("Fulfillment", "timer")
    assert [one["do"] for one in exception["suggestions"]] == ["route again", "resolve"]
    assert (await shop.journal(order)).count("fulfillment.unaccepted") == 1
    async with shop.stack.engine.connect() as conn:
        sent = (
            await conn.execute(select(intake.c.order_id).where(intake.c.type == "fulfillment.unaccepted"))
        ).scalars()
        assert set(sent) <= {order, accepted}
    await shop.exceptions(accepted, 0)
