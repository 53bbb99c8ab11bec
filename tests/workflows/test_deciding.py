"""What an operator decides about a flow that waits, through the API and from the command line."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.cli.exceptions import exceptions_app
from orderloom.persistence.tables.operations import process_exceptions
from orderloom.settings import Settings
from orderloom.stack import Options, Stack
from tests.workflows.shop import OPENED, SECRETS, Shop, open_shop
from tests.workflows.test_idempotency import Mishaps

WAITING = """
document: {dsl: 1.0.3, namespace: test, name: waiting, version: 1.4.0}
evaluate: {language: cel}
schedule: {on: {one: {with: {type: order.placed}}}}
do:
  - plan: {call: schedule-routing, with: {reason: order.placed}}
  - search:
      do:
        - route:
            call: find-routes
            with: {schedule: "${ input.schedule + 90 }"}
            export: {as: "${ {'attempt': output.attempt} }"}
        - told: {emit: {event: {with: {type: test.routed, data: {outcome: "${ input.outcome }"}}}}}
  - over: {emit: {event: {with: {type: test.over, data: {attempt: "${ context.attempt }"}}}}}
"""
"""A flow whose second task asks for a schedule that nobody has planned."""
REPLACED = """
document: {dsl: 1.0.3, namespace: test, name: replaced, version: 1.0.0, metadata: {concurrency: replace}}
evaluate: {language: cel}
schedule: {on: {any: [{with: {type: order.placed}}, {with: {type: order.routing.requested}}]}}
do:
  - first:
      if: ${ workflow.input[0].type == "order.placed" }
      call: find-routes
      with: {schedule: 9}
  - tell: {emit: {event: {with: {type: test.again, data: {}}}}}
"""
"""A flow that fails the first time; its next instance replaces the one that waits."""
RAISING = """
document: {dsl: 1.0.3, namespace: test, name: raising, version: 1.0.0}
evaluate: {language: cel}
schedule: {on: {one: {with: {type: order.placed}}}}
do:
  - tell: {call: raise-exception, with: {category: Payment, code: test.look}}
"""
"""A flow that tells people of something and goes on."""

LOSSY = pytest.mark.parametrize("lossy", [pytest.param(False, id="calm"), pytest.param(True, id="lossy")])
"""Once as it is, and once with every transaction committed and its answer lost."""

type Decide = Callable[..., Awaitable[tuple[int, Any]]]
"""Decide about an exception; return the exit status (0 or 1) and what was said."""


@pytest.fixture
def flows() -> Sequence[str]:
    """Return the flow that waits."""
    return (WAITING,)


@pytest.fixture
def lossy() -> bool:
    """Return whether the test wants every answer lost once."""
    return False


@pytest.fixture
def options(lossy: bool) -> Options:
    """Start the stack, with mishaps around its activities where a test asks for them."""
    plain = Options(webhook_lag=0.0, patience=20.0)
    return replace(plain, wrap=Mishaps().around) if lossy else plain


@pytest.fixture
async def stack(
    settings: Settings, options: Options, engine: AsyncEngine, flows: Sequence[str], policy: dict[str, Any]
) -> AsyncIterator[Stack]:
    """Return a stack whose shop has no other flows than the test's."""
    await open_shop(engine, flows, shipped=False, **policy)
    async with Stack.start(settings, options) as stack:
        yield stack


async def command(capsys: pytest.CaptureFixture[str], shop: Shop, *words: str) -> tuple[int, str, str]:
    """Run ``orderloom exceptions`` and return its exit status, stdout and stderr."""

    def call() -> int:
        try:
            exceptions_app([*words, "--api", shop.stack.api_url], exit_on_error=False, result_action="return_value")
        except SystemExit as left:
            return int(left.code or 0)
        return 0

    status = await asyncio.to_thread(call)
    told = capsys.readouterr()
    return status, told.out, told.err


@pytest.fixture(params=["api", "cli"])
def decide(request: pytest.FixtureRequest, shop: Shop, capsys: pytest.CaptureFixture[str]) -> Decide:
    """Return how the test decides: both ways do the same."""

    async def by_api(exception: str, kind: str, **more: Any) -> tuple[int, Any]:
        answer = await shop.decide(exception, kind, **more)
        body = answer.json()
        return int(answer.is_error), "".join((body["code"], str(body["errors"]))) if answer.is_error else ""

    async def by_cli(exception: str, kind: str, **more: Any) -> tuple[int, Any]:
        words = [more.pop("task")] if "task" in more else []
        for name, value in more.items():
            words += [f"--{name}", json.dumps(value)]
        status, out, err = await command(capsys, shop, kind, exception, *words)
        assert bool(err) == bool(status)
        return status, err or out

    return by_api if request.param == "api" else by_cli


async def _waiting(shop: Shop) -> tuple[str, Any]:
    order = await shop.place()
    (exception,) = await shop.exceptions(order)
    return order, exception


async def test_an_exception_tells_what_happened(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """Flow, version, hash, task, input, error, attempts and what can be done are told; nothing of a person is."""
    order, exception = await _waiting(shop)

    assert (exception["flow"], exception["task"]) == ("waiting:1.4.0", "/do/1/search/do/0/route")
    assert exception["instance"] == f"{exception['instance'].partition('@')[0]}@{exception['flow_hash']}"
    assert (exception["input"], exception["attempts"]) == ({"schedule": 91}, 1)
    error = exception["error"]
    assert (error["type"], error["status"], error["code"]) == ("urn:orderloom:order.moved", 409, "order.moved")
    waiting = exception["waiting"]
    assert (waiting["action"], waiting["within"]) == ("find-routes@1", ["route", "told", "plan", "search", "over"])
    assert [it["undone_by"] for it in waiting["compensations"]] == ["withdraw-routing@1"]
    assert await shop.outcomes(order, "waiting") == ["faulted"]

    _, listed, _ = await command(capsys, shop, "list", "--order", order)
    _, shown, _ = await command(capsys, shop, "show", exception["id"])
    _, preview, _ = await command(capsys, shop, "compensate", exception["id"], "--preview")
    _, raw, _ = await command(capsys, shop, "show", exception["id"], "--json")
    assert listed.startswith(f"{exception['id']}  ")
    assert listed.endswith("  Order Activation  order.moved  waiting:1.4.0 /do/1/search/do/0/route\n")
    assert "goto one of: route, told, plan, search, over" in shown
    assert preview == "/do/0/plan  schedule-routing@1  undone by withdraw-routing@1\n"
    assert json.loads(raw) == exception
    assert not [secret for secret in SECRETS.values() if secret in raw + shown]
    assert (await shop.get(f"/v1/exceptions/{exception['id']}"))["status"] == "new"


@LOSSY
async def test_retry_with_other_input(shop: Shop, decide: Decide) -> None:
    """The action is asked with the operator's arguments, and the flow goes on."""
    order, exception = await _waiting(shop)

    assert (await decide(exception["id"], "retry", input={"schedule": 1}))[0] == 0

    await shop.until_journal(order, "test.over")
    assert [data for _, data in await shop.events(order, "test.")] == [{"outcome": "ROUTED"}, {"attempt": 1}]
    assert await shop.outcomes(order, "waiting") == ["completed"]
    await shop.exceptions(order, 0)


async def test_retry_as_it_was_counts_the_attempts(shop: Shop, decide: Decide) -> None:
    """Failing again it waits at another exception, which knows that there were two attempts."""
    order, first = await _waiting(shop)

    assert (await decide(first["id"], "retry"))[0] == 0

    await shop.until_journal(order, "exception.raised", 2)
    (second,) = await shop.exceptions(order)
    assert (second["id"], second["attempts"]) == (f"{order}-X2", 2)
    assert "test.routed" not in await shop.journal(order)


@LOSSY
async def test_skip_with_an_output(shop: Shop, decide: Decide) -> None:
    """The output stands in for the action's result, also in what the task exports."""
    order, exception = await _waiting(shop)

    assert (await decide(exception["id"], "skip", output={"outcome": "NO_STOCK", "attempt": 7}))[0] == 0

    await shop.until_journal(order, "test.over")
    assert [data for _, data in await shop.events(order, "test.")] == [{"outcome": "NO_STOCK"}, {"attempt": 7}]
    assert "routing.attempted" not in await shop.journal(order)


@LOSSY
async def test_go_to_a_task(shop: Shop, decide: Decide) -> None:
    """The flow goes on at the task named, outside the block it failed in."""
    order, exception = await _waiting(shop)

    assert (await decide(exception["id"], "goto", task="told", input={"outcome": "by hand"}))[0] == 0

    await shop.until_journal(order, "test.routed")
    assert [data for _, data in await shop.events(order, "test.")] == [{"outcome": "by hand"}]


@LOSSY
async def test_go_back_does_again_what_was_done(shop: Shop, decide: Decide) -> None:
    """A call that is gone back to is made anew, under a new generation, and not answered from before."""
    order, exception = await _waiting(shop)

    assert (await decide(exception["id"], "goto", task="plan", input={}))[0] == 0

    await shop.until_journal(order, "exception.raised", 2)
    async with shop.stack.engine.connect() as conn:
        keys = [row[0] for row in await conn.exec_driver_sql("SELECT key FROM idempotency WHERE key LIKE '%/do/0#%'")]
    assert sorted(key.rpartition("#")[2] for key in keys if "/do/1/" not in key) == ["0.0", "1.1"]


@pytest.mark.parametrize(
    ("kind", "more", "told"),
    [
        pytest.param("retry", {"input": {"schedule": 0}}, "/input/schedule", id="input"),
        pytest.param("retry", {"input": {"schedule": 1, "x": "y" * 5_000}}, "/input", id="too-large"),
        pytest.param("skip", {"output": {"outcome": "MAYBE", "attempt": 1}}, "/output/outcome", id="output"),
        pytest.param("skip", {"output": None}, "/output", id="no-output"),
        pytest.param("goto", {"task": "toldd"}, "exception.task_out_of_reach", id="unknown-task"),
    ],
)
async def test_what_does_not_fit_changes_nothing(
    shop: Shop, decide: Decide, kind: str, more: dict[str, Any], told: str
) -> None:
    """It is refused with what is wrong; the exception stays open, and the flow waits on."""
    order, exception = await _waiting(shop)
    before = await shop.journal(order)

    status, said = await decide(exception["id"], kind, **more)

    assert status == 1
    assert told in said
    assert await shop.journal(order) == before
    assert await shop.exceptions(order) == [exception]
    assert await shop.outcomes(order, "waiting") == ["faulted"]


async def test_a_task_out_of_reach_is_told_with_those_that_are_not(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    """The refusal names the nearest task and lists all."""
    _, exception = await _waiting(shop)

    answer = (await shop.decide(exception["id"], "goto", task="toldd")).json()
    _, _, err = await command(capsys, shop, "goto", exception["id"], "toldd")

    assert answer["detail"] == "there is no task 'toldd' to go to. Did you mean 'told'?"
    assert answer["facts"] == {"tasks": ["route", "told", "plan", "search", "over"]}
    assert "tasks: route, told, plan, search, over" in err


async def test_of_two_operators_one_decides(shop: Shop) -> None:
    """The other is told that it is decided, and how; the flow does only the one thing."""
    order, exception = await _waiting(shop)

    answers = await asyncio.gather(
        shop.decide(exception["id"], "retry", input={"schedule": 1}),
        shop.decide(exception["id"], "skip", output={"outcome": "NO_STOCK", "attempt": 7}),
    )

    assert sorted(answer.status_code for answer in answers) == [200, 409]
    accepted, refused = sorted(answers, key=lambda answer: answer.status_code)
    assert refused.json()["code"] == "exception.closed"
    decided = refused.json()["facts"]["decided"]
    assert decided == ("retry" if accepted is answers[0] else "skip")
    await shop.until_journal(order, "test.over")
    assert (await shop.journal(order)).count("exception.resolved") == 1
    outcome = "ROUTED" if decided == "retry" else "NO_STOCK"
    assert [data for _, data in await shop.events(order, "test.routed")] == [{"outcome": outcome}]


async def test_a_decision_repeated_is_answered_as_before(shop: Shop) -> None:
    """With the same idempotency key it is the same decision; with another one it comes too late."""
    order, exception = await _waiting(shop)

    first = await shop.decide(exception["id"], "retry", input={"schedule": 1}, key="same")
    again = await shop.decide(exception["id"], "retry", input={"schedule": 1}, key="same")
    other = await shop.decide(exception["id"], "retry", input={"schedule": 2}, key="same")
    late = await shop.decide(exception["id"], "retry", input={"schedule": 1})

    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency.key_reused")
    assert (late.status_code, late.json()["code"]) == (409, "exception.closed")
    await shop.until_journal(order, "test.over")
    assert (await shop.journal(order)).count("routing.attempted") == 1


async def test_resolve_ends_the_instance(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever has put it right by hand ends the flow where it is; nothing more is done, nothing is undone."""
    order, exception = await _waiting(shop)

    status, out, _ = await command(capsys, shop, "resolve", exception["id"])

    assert (status, out.startswith(f"{exception['id']}: resolved is on record")) == (0, True)
    await shop.until_quiet(order)
    assert await shop.outcomes(order, "waiting") == ["cancelled"]
    journal = await shop.journal(order)
    assert not {"test.over", "routing.withdrawn", "flow.compensated"} & set(journal)


@pytest.mark.parametrize("flows", [(RAISING,)])
async def test_where_no_flow_waits_there_is_nothing_to_retry(shop: Shop) -> None:
    """Such an exception is resolved, and that is all that can be done about it."""
    order, exception = await _waiting(shop)
    assert exception["waiting"] is None

    for kind, more in (("retry", {}), ("skip", {"output": {}}), ("goto", {"task": "tell"}), ("compensate", {})):
        refused = await shop.decide(exception["id"], kind, **more)
        assert (refused.status_code, refused.json()["code"]) == (409, "exception.nobody_waits")

    await shop.resolve(exception["id"], "resolved")
    await shop.exceptions(order, 0)


async def test_an_exception_without_an_order_is_resolved(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """What an import has raised belongs to no order: there is nothing to retry, and it is resolved once."""
    row = {"id": "IMPORT-X1", "number": 1, "category": "Order Activation", "code": "import.bad", "detail": "row 3"}
    row |= {"severity": "High", "priority": "High", "status": "new", "created_at": OPENED}
    async with shop.stack.engine.begin() as conn:
        await conn.execute(insert(process_exceptions).values(**row))

    refused = await shop.decide("IMPORT-X1", "retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "exception.nobody_waits")
    status, out, _ = await command(
        capsys, shop, "resolve", "IMPORT-X1", "--key", "r1", "--by", "ines", "--reason", "sent again"
    )
    assert (status, out) == (0, "IMPORT-X1: resolved is done; it is resolved\n")
    repeated = await shop.decide("IMPORT-X1", "resolved", key="r1")
    assert (repeated.status_code, repeated.json()["status"]) == (200, "resolved")
    other = await shop.decide("IMPORT-X1", "resolved", key="r2")
    assert (other.status_code, other.json()["code"]) == (409, "exception.closed")
    (change,) = (await shop.get("/v1/exceptions/IMPORT-X1"))["changes"]
    assert (change["by"], change["reason"]) == ("ines", "sent again")
    assert change["changes"] == {"status": {"from": "new", "to": "resolved"}, "decided": "resolved"}
    unknown = await shop.decide("IMPORT-X2", "retry")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "exception.unknown")


@pytest.mark.parametrize("flows", [(REPLACED,)])
async def test_an_exception_of_an_instance_that_was_replaced_is_void(shop: Shop) -> None:
    """Another instance has taken the place of the one that failed: nobody waits, and nothing is to be decided."""
    order, exception = await _waiting(shop)
    assert exception["waiting"] is not None

    answer = await shop.post(f"/v1/orders/{order}/route", {})
    assert answer.status_code == 200, answer.text
    await shop.until_journal(order, "test.again")
    await shop.until_quiet(order)

    await shop.exceptions(order, 0)
    left = await shop.get(f"/v1/exceptions/{exception['id']}")
    assert (left["status"], left["waiting"], left["decision"]) == ("voided", None, None)
    refused = await shop.decide(exception["id"], "retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "exception.closed")
    assert sorted(await shop.outcomes(order, "replaced")) == ["completed", "replaced"]
