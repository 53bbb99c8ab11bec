"""Many process exceptions at once: what was seen is decided about or changed, at a rate, with a result for each."""

import json
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import httpx
import pytest
from sqlalchemy import insert

from orderloom.cli.json_argument import ArgumentUnreadable
from orderloom.domain.model import JsonObject
from orderloom.persistence.tables.operations import process_exceptions
from tests.workflows.shop import BROKEN, Shop
from tests.workflows.states import state
from tests.workflows.test_deciding import RAISING, command
from tests.workflows.test_exceptions import WITHOUT_ORDER, change, open_of, two


@pytest.fixture
def flows() -> Sequence[str]:
    """Return a flow that waits, and one that tells people of something."""
    return (BROKEN, RAISING)


async def test_many_are_decided_about_as_they_were_seen(
    shop: Shop, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """
    The preview names each and touches nothing; submitting does what was seen and says what became of each.

    One that was changed since is left alone, one that is settled is gone, one that came since is only counted; the same
    token once more does nothing twice.
    """
    orders = [await two(shop) for _ in range(4)]
    (_, changed, _), (_, gone, _), (third, *_), _ = orders
    for order, *_ in orders:
        await shop.until_quiet(order)
    kept = tmp_path / "seen"
    skip = ("skip", "--output", '{"invoice": "by-hand", "total": 1}', "--by", "ines", "--reason", "all by hand")

    before = await state(shop)
    status, out, _ = await command(capsys, shop, *skip, "--where", "status=all", "--preview", "--save", str(kept))
    assert await state(shop) == before
    lines = out.splitlines()
    assert (status, len(lines)) == (0, 9)
    assert sum("the flow goes on as if the task had returned what you give" in line for line in lines) == 4
    assert sum("refused: exception.nobody_waits: no flow waits at" in line for line in lines) == 4
    assert lines[-1] == "4 would be done, 4 refused; nothing was changed"

    await change(shop, changed["id"], owner="max")
    await shop.resolve(gone["id"], "resolved")
    late, *_ = await two(shop)
    await shop.until_quiet(late)
    status, out, _ = await command(capsys, shop, "submit", str(kept), "--rate", "100")
    *each, sums = out.splitlines()
    assert status == 0
    assert sorted(line.split("  ")[-1] for line in each) == [
        "changed: its owner, deadline, severity or priority was changed since",
        "gone: it is resolved",
        "succeeded",
        "succeeded",
    ]
    assert "2 succeeded" in sums
    await shop.until_journal(third, "test.over")
    assert "test.over" not in await shop.journal(late)

    status, again, _ = await command(capsys, shop, "submit", str(kept), "--rate", "100")
    assert [line.split("  ")[1:] for line in again.splitlines()[:4]] == [line.split("  ")[1:] for line in each]
    assert (await shop.journal(third)).count("exception.resolve.requested") == 1
    settled = await shop.get(f"/v1/exceptions/{third}-X1")
    assert [(one["by"], one["reason"]) for one in settled["changes"] or ()] in ([("ines", "all by hand")], [])
    status, _, err = await command(capsys, shop, "submit", str(_broken(tmp_path)))
    assert (status, "exception.token_unreadable" in err) == (1, True)


def _broken(folder: Path) -> Path:
    file = folder / "broken"
    file.write_text("bm90aGluZw==", "utf-8")
    return file


async def test_what_was_interrupted_goes_on(shop: Shop) -> None:
    """The connection breaks after the first answer: sent again, all are done, each once, and no faster than wanted."""
    orders = [(await two(shop))[0] for _ in range(3)]
    for order in orders:
        await shop.until_quiet(order)
    output: JsonObject = {"invoice": "by-hand", "total": 1}
    ask: JsonObject = {"where": {"code": "not_found"}, "decision": {"kind": "skip", "output": output}}
    async with httpx.AsyncClient(base_url=shop.stack.api_url, timeout=30) as http:
        token = (await http.post("/v1/exceptions/bulk/preview", json=ask)).json()["token"]
        body = {"token": token, "rate": 1}
        async with http.stream("POST", "/v1/exceptions/bulk", json=body) as answer:
            first = json.loads(await anext(answer.aiter_lines()))
        began = monotonic()
        again = (await http.post("/v1/exceptions/bulk", json={**body, "rate": 4})).text.splitlines()

    assert monotonic() - began >= 3 / 4
    assert first["outcome"] == "succeeded"
    results = [json.loads(line) for line in again]
    assert [one["outcome"] for one in results[:3]] == ["succeeded"] * 3
    assert results[3] == {"done": True, "outcomes": {"succeeded": 3}, "others": 0}
    for order in orders:
        await shop.until_journal(order, "test.over")
        assert (await shop.journal(order)).count("exception.resolve.requested") == 1


async def test_many_without_an_order_are_resolved(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """They are decided about like others; without a preview all that are meant are seen and done at once."""
    async with shop.stack.engine.begin() as conn:
        rows = [{"id": f"I.{row}", "created_at": shop.stack.clock.now(), **WITHOUT_ORDER} for row in range(12)]
        await conn.execute(insert(process_exceptions), rows)

    status, out, _ = await command(capsys, shop, "resolve", "--where", "code=import.", "--rate", "200")

    assert status == 0
    assert out.splitlines()[-1] == "12 succeeded; 0 others are meant by the same words now"
    assert (await shop.get("/v1/exceptions?code=import."))["items"] == []
    with pytest.raises(ArgumentUnreadable, match="--where for all"):
        await command(capsys, shop, "resolve")


async def test_many_are_changed_as_they_were_seen(
    shop: Shop, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """
    Triaged and rated together, of orders and of none: the preview tells each change and makes none.

    What was changed since is left alone; the same token once more changes nothing twice; what may not follow is
    refused.
    """
    (first, waits, told), (second, *_) = [await two(shop) for _ in range(2)]
    async with shop.stack.engine.begin() as conn:
        row = {"id": "I.7", "created_at": shop.stack.clock.now(), **WITHOUT_ORDER}
        await conn.execute(insert(process_exceptions).values(row))
    for order in (first, second):
        await shop.until_quiet(order)
    kept = tmp_path / "seen"
    triage = ("triage", "--severity", "Low", "--priority", "Low", "--by", "ines", "--reason", "a slow week")

    before = await state(shop)
    status, out, _ = await command(capsys, shop, *triage, "--where", "status=new", "--preview", "--save", str(kept))
    assert await state(shop) == before
    assert (status, sorted(line.split("  ")[-1] for line in out.splitlines())) == (
        0,
        ["5 would be done, 0 refused; nothing was changed", "status new → triaged"]
        + ["status new → triaged, severity High → Low, priority High → Low"] * 4,
    )

    await change(shop, told["id"], owner="max")
    for _ in range(2):
        status, out, _ = await command(capsys, shop, "submit", str(kept), "--rate", "100")
        *each, sums = out.splitlines()
        outcomes = ["changed: its owner, deadline, severity or priority was changed since", *["succeeded"] * 4]
        assert (status, sorted(line.split("  ")[-1] for line in each)) == (0, outcomes)
        assert sums.endswith("; 0 others are meant by the same words now")
    found = {one["id"]: one for one in (await shop.get("/v1/exceptions?status=triaged"))["items"]}
    assert sorted(found) == sorted(["I.7", waits["id"], *(f"{second}-X{number}" for number in (1, 2))])
    assert {(one["severity"], one["priority"], one["version"]) for one in found.values()} == {("Low", "Low", 1)}
    changed = (await shop.get(f"/v1/exceptions/{waits['id']}"))["changes"]
    assert [(one["by"], one["reason"]) for one in changed] == [("ines", "a slow week")]
    untouched = await shop.get(f"/v1/exceptions/{told['id']}")
    assert (untouched["status"], untouched["severity"], untouched["version"]) == ("new", "High", 1)

    status, out, _ = await command(capsys, shop, "void", "--where", "status=triaged", "--rate", "100")
    assert (status, sum("refused: exception.flow_waits" in line for line in out.splitlines())) == (0, 2)
    assert await open_of(shop, first) == 2


async def test_many_are_given_to_somebody_until_when(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """Owner and deadline are set and taken away together; what is so already is not changed."""
    order, waits, told = await two(shop)
    await shop.until_quiet(order)
    await change(shop, waits["id"], owner="ines")
    meant = ("--where", f"order={order}", "--rate", "100", "--by", "max")

    for words in (("assign", "ines"), ("deadline", "2030-03-02T09:00+00:00")):
        status, out, _ = await command(capsys, shop, *words, *meant)
        assert (status, out.splitlines()[-1].split(";")[0]) == (0, "2 succeeded")
    found = [await shop.get(f"/v1/exceptions/{one['id']}") for one in (waits, told)]
    assert [(one["owner"], one["deadline"]) for one in found] == [("ines", "2030-03-02T09:00:00Z")] * 2
    assert [one["changes"][-2]["changes"] for one in found] == [{}, {"owner": {"from": None, "to": "ines"}}]

    status, _, _ = await command(capsys, shop, "unassign", *meant)
    assert status == 0
    assert (await shop.get(f"/v1/exceptions?order={order}&owner=ines"))["items"] == []
    with pytest.raises(ArgumentUnreadable, match="is no date and time"):
        await command(capsys, shop, "deadline", "soon", *meant)
    with pytest.raises(ArgumentUnreadable, match=f"changed of {waits['id']}"):
        await command(capsys, shop, "assign", waits["id"])


async def test_many_go_to_another_task(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """Every flow that waits goes on there with the same input, once; a task out of reach is refused for each."""
    orders = [(await two(shop))[0] for _ in range(2)]
    for order in orders:
        await shop.until_quiet(order)
    meant = ("--where", "code=not_found", "--rate", "100")

    before = await state(shop)
    status, out, _ = await command(capsys, shop, "goto", "nowhere", *meant)
    assert (status, out.count("refused: exception.task_out_of_reach")) == (0, 2)
    assert await state(shop) == before
    given = ("--input", '{"invoice": "by-hand"}')
    status, out, _ = await command(capsys, shop, "goto", "tell", *given, *meant, "--preview")
    assert (status, out.count("  the flow goes on at tell\n")) == (0, 2)
    assert await state(shop) == before
    status, out, _ = await command(capsys, shop, "goto", "tell", *given, *meant)
    assert (status, out.splitlines()[-1]) == (0, "2 succeeded; 0 others are meant by the same words now")
    for order in orders:
        await shop.until_journal(order, "test.over")
        await shop.until_quiet(order)
        assert [data for _, data in await shop.events(order, "test.over")] == [{"invoice": "by-hand"}]
        assert (await shop.journal(order)).count("exception.resolve.requested") == 1
