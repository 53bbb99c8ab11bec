"""The processes of the Compose file: what they say of themselves, and how they end while there is work."""

import asyncio
import subprocess
import sys
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, text
from temporalio.api.workflowservice.v1 import SetWorkerDeploymentCurrentVersionRequest
from temporalio.client import WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode

from flows_dsl import prebuilt
from flows_dsl.release import pack
from orderloom.bootstrap.processes import Process
from orderloom.contracts.outside import PERFORM_GATEWAY_REQUEST
from orderloom.contracts.queues import workflow_id
from orderloom.persistence.flows import publish
from orderloom.persistence.locks import RELAY_LEADER
from orderloom.persistence.tables.intake import intake
from orderloom.readmodels.doctor import Finding, examine
from orderloom.readmodels.snapshot import snapshot
from tests.deployment.compose import ours
from tests.deployment.deployment import Deployment
from tests.workflows.shop import OPENED, Shop, flow, order_body

READY = (200, {"status": "ok"})
DEPLOYMENT = "orderloom"
NEED_DATABASES = ["api-1", "relay-1", "relay-2", "worker-1", "worker-2"]


async def test_everything_lives_is_ready_and_brings_an_order_to_its_end(deployment: Deployment) -> None:
    """With what the Compose file sets, each process passes its own health check, and an order is shipped and paid."""
    shop = deployment.shop
    order = await shop.place()
    await shop.until_journal(order, "fulfillment.created")
    await shop.fulfil(order)
    await shop.until_journal(order, "payment.captured")
    await shop.until_quiet(order)

    assert list(deployment.processes) == ["gateway-1", "worker-1", "worker-2", "relay-1", "relay-2", "api-1"]
    for what in ("live", "ready"):
        assert await deployment.all_asked(what) == dict.fromkeys(deployment.processes, READY)
    assert [await _health_check(deployment, name) for name in deployment.processes] == [0] * 6
    assert await _paid(shop, order) == (9_500, 1)
    assert await _findings(shop) == []


async def test_without_postgresql_processes_live_and_are_not_ready(deployment: Deployment) -> None:
    """Each names what is missing and passes no health check; the gateway needs none; all recover by themselves."""
    await deployment.ways.postgres.cut()
    try:
        await deployment.until_asked(NEED_DATABASES, (503, {"status": "working", "missing": ["database", "keys"]}))
        assert await deployment.all_asked("live") == dict.fromkeys(deployment.processes, READY)
        assert await deployment.asked("gateway-1", "ready") == READY
        assert await _health_check(deployment, "worker-1") != 0
    finally:
        await deployment.ways.postgres.open()

    await deployment.until_asked(NEED_DATABASES, READY)
    assert await _is_allocated(deployment.shop)


async def test_without_temporal_processes_live_and_are_not_ready(deployment: Deployment) -> None:
    """Each names it, and an order is still taken in; when Temporal is back, the order goes on by itself."""
    shop = deployment.shop
    await deployment.ways.temporal.cut()
    try:
        await deployment.until_asked(NEED_DATABASES, (503, {"status": "working", "missing": ["workflows"]}))
        assert await deployment.all_asked("live") == dict.fromkeys(deployment.processes, READY)
        answer = await shop.post("/v1/orders", order_body("without-temporal"))
        assert answer.status_code == 202
    finally:
        await deployment.ways.temporal.open()

    await deployment.until_asked(NEED_DATABASES, READY)
    await shop.until_journal(await _order(shop, "without-temporal"), "fulfillment.created")


async def test_a_worker_that_is_stopped_finishes_its_call_and_the_rest_goes_on_elsewhere(
    deployment: Deployment,
) -> None:
    """The call is made once and its answer recorded; meanwhile the other worker takes all work; nothing is doubled."""
    shop = deployment.shop
    order = await shop.place()
    await shop.until_journal(order, "fulfillment.created")
    for kind in ("accepted", "picked"):
        await shop.report(order, kind)
        await shop.until_journal(order, f"fulfillment.{kind}")
    stopped = await _busy_worker(deployment, order)
    process = deployment.processes[stopped]
    pid = process.pid

    stopping = asyncio.create_task(process.stop())
    await _until_stopping(deployment, stopped)
    assert await _is_allocated(shop), "the other worker takes up new orders while this one finishes"
    assert process.running
    for way in deployment.to_gateway.values():
        way.release()
    await stopping
    await shop.until_journal(order, "payment.captured")
    await shop.until_quiet(order)

    assert process.status == 0, process.log.read_text()
    assert await _calls(shop, order) == [(f"{pid}@", 1)]
    assert await _paid(shop, order) == (9_500, 1)
    assert await _findings(shop) == []
    await process.start()


async def test_an_api_that_is_stopped_answers_what_it_was_asked(deployment: Deployment) -> None:
    """A request that waits for a worker is answered 202 although SIGTERM came; the order is there and goes on later."""
    shop = deployment.shop
    api = deployment.processes["api-1"]
    await deployment.stop("worker-1", "worker-2")
    before = await _taken_in(shop)
    asking = asyncio.create_task(shop.post("/v1/orders", order_body("while-stopping")))

    async def taken_in() -> bool | None:
        return await _taken_in(shop) > before or None

    await shop.until(taken_in, lambda: "the order is taken in")
    assert not asking.done()
    await deployment.stop("api-1")

    assert (await asking).status_code == 202
    with pytest.raises(httpx.ConnectError):
        await shop.get("/v1/orders")
    await asyncio.gather(*(deployment.processes[name].start() for name in ("worker-1", "worker-2")), api.start())
    await shop.until_journal(await _order(shop, "while-stopping"), "fulfillment.created")
    assert await _findings(shop) == []


async def test_a_second_relay_takes_over(deployment: Deployment) -> None:
    """When the one that leads is stopped, the other leads and gives journal entries their place in the feed."""
    shop = deployment.shop
    await deployment.stop("relay-2")
    first = await _until_led(shop, by_other_than=None)
    await deployment.processes["relay-2"].start()
    await deployment.until_asked(["relay-1", "relay-2"], READY)

    await deployment.stop("relay-1")
    await _until_led(shop, by_other_than=first)
    assert await _is_allocated(shop)

    async def all_placed() -> bool | None:
        async with shop.stack.engine.connect() as conn:
            return await conn.scalar(text("SELECT bool_and(position IS NOT NULL) FROM outbox")) or None

    await shop.until(all_placed, lambda: "every entry has its place in the feed")
    await deployment.processes["relay-1"].start()


async def test_all_end_well_and_go_on_where_they_were(deployment: Deployment) -> None:
    """SIGTERM ends every process with status 0; started again, they bring the order to its end, which is paid once."""
    shop = deployment.shop
    order = await shop.place()
    await shop.until_journal(order, "fulfillment.created")

    await asyncio.gather(*map(deployment.stop, deployment.processes))
    await asyncio.gather(*(process.start() for process in deployment.processes.values()))
    await shop.fulfil(order)
    await shop.until_journal(order, "payment.captured")
    await shop.until_quiet(order)

    assert await _paid(shop, order) == (9_500, 1)
    assert await _findings(shop) == []


async def test_an_upgrade_of_versioned_workers_takes_orders_along(deployment: Deployment) -> None:
    """New orders go to the build that is current; one of the build before moves with its next event, and ends there."""
    shop = deployment.shop
    await deployment.stop("worker-1", "worker-2")
    async with AsyncExitStack() as stack:
        before, after = (_versioned(deployment, build) for build in ("1", "2"))
        for process in (before, after):
            stack.push_async_callback(process.stop)
        await before.start()
        await _make_current(shop, "1")
        order = await shop.place()
        await shop.until_journal(order, "fulfillment.created")
        await after.start()
        await _make_current(shop, "2")
        newer = await shop.place()
        await shop.until_journal(newer, "fulfillment.created")

        assert await _ran_by(shop, order) == {before.pid}
        assert await _ran_by(shop, newer) == {after.pid}
        await shop.fulfil(order)
        await shop.until_journal(order, "payment.captured")
        await shop.until_quiet(order)
        assert await _ran_by(shop, order) == {after.pid}, "its last run"
        assert await _paid(shop, order) == (9_500, 1)
        await _make_current(shop, "")
    assert [before.status, after.status] == [0, 0]
    await asyncio.gather(*(deployment.processes[name].start() for name in ("worker-1", "worker-2")))
    assert await _findings(shop) == []


async def test_an_upgrade_leaves_orders_on_their_release(deployment: Deployment) -> None:
    """Across a new build of the workers, an order keeps its release, and one that was moved keeps that one."""
    shop = deployment.shop
    await deployment.stop("worker-1", "worker-2")
    async with AsyncExitStack() as stack:
        before, after = (_versioned(deployment, build) for build in ("3", "4"))
        for process in (before, after):
            stack.push_async_callback(process.stop)
        await before.start()
        await _make_current(shop, "3")
        orders = [await shop.place() for _ in range(2)]
        for order in orders:
            await shop.until_journal(order, "fulfillment.created")
            await shop.until_quiet(order)
        kept = [(await shop.get(f"/v1/orders/{order}"))["release"] for order in orders]
        texts = [prebuilt.text(name).replace("version: 1.0.0", "version: 1.0.1") for name in prebuilt.DEFAULT_RELEASE]
        async with shop.stack.engine.begin() as conn:
            release = (await publish(conn, pack([flow(each) for each in texts]), OPENED)).release
        answer = await shop.post(f"/v1/orders/{orders[1]}/release", {"release": release})
        assert answer.status_code == 200, answer.text

        await after.start()
        await _make_current(shop, "4")
        for order in orders:
            await shop.fulfil(order)
            await shop.until_journal(order, "payment.captured")
            await shop.until_quiet(order)
            assert await _ran_by(shop, order) == {after.pid}, "its last run"

        found = [(await shop.get(f"/v1/orders/{order}"))["release"] for order in orders]
        assert found == [kept[0], release]
        assert release not in kept
        await _make_current(shop, "")
    await asyncio.gather(*(deployment.processes[name].start() for name in ("worker-1", "worker-2")))
    assert await _findings(shop) == []


def _versioned(deployment: Deployment, build: str) -> Process:
    """Return a worker of a build, not started."""
    process = deployment.ways.process("worker", f"worker-of-build-{build}")
    process.environment |= {"ORDERLOOM_DEPLOYMENT": DEPLOYMENT, "ORDERLOOM_BUILD_ID": build}
    return process


async def _make_current(shop: Shop, build: str) -> None:
    """Let new orders go to a build, or to workers without one, as soon as Temporal knows of it."""
    client = shop.stack.client
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace, deployment_name=DEPLOYMENT, build_id=build
    )

    async def make() -> bool | None:
        try:
            await client.workflow_service.set_worker_deployment_current_version(request)
        except RPCError as error:
            if error.status not in {RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION}:
                raise
            return None
        return True

    await shop.until(make, lambda: f"build {build} is current")


async def _ran_by(shop: Shop, order: str) -> set[int]:
    """Return the processes that completed workflow tasks of the order's last run."""
    history = await shop.stack.client.get_workflow_handle(workflow_id(order)).fetch_history()
    completed = [
        event.workflow_task_completed_event_attributes.identity
        for event in history.events
        if event.HasField("workflow_task_completed_event_attributes")
    ]
    return {int(identity.partition("@")[0]) for identity in completed}


async def _health_check(deployment: Deployment, name: str) -> int:
    """Run the command of the Compose file's health check against this process, and return its exit status."""
    service, _, _ = name.partition("-")
    _, _, *arguments = ours()[service]["healthcheck"]["test"]
    port = deployment.processes[name].environment["ORDERLOOM_MONITOR_PORT"]
    command = [sys.executable, *(argument.replace(":9100/", f":{port}/") for argument in arguments)]
    return (await asyncio.to_thread(subprocess.run, command, capture_output=True, check=False)).returncode


async def _busy_worker(deployment: Deployment, order: str) -> str:
    """Let *order* be shipped, keep back what the gateway answers, and return the name of the worker that waits."""
    for way in deployment.to_gateway.values():
        way.hold()
    await deployment.shop.report(order, "shipped")

    async def look() -> str | None:
        pending = (await deployment.shop.describe(order)).raw_description.pending_activities
        asking = {one.last_worker_identity.partition("@")[0] for one in pending if one.HasField("last_started_time")}
        held = [name for name, way in deployment.to_gateway.items() if way.holding]
        return next((name for name in held if str(deployment.processes[name].pid) in asking), None)

    return await deployment.shop.until(look, lambda: "the gateway is asked to capture, outside of a transaction")


async def _until_stopping(deployment: Deployment, name: str) -> None:
    async def look() -> bool | None:
        status, answer = await deployment.asked(name, "ready")
        return (status, answer["status"]) == (503, "stopping") or None

    await deployment.shop.until(look, lambda: f"{name} is stopping")


async def _is_allocated(shop: Shop) -> bool:
    """Place an order and wait until it is given to a location."""
    order = await shop.place()
    return "fulfillment.created" in await shop.until_journal(order, "fulfillment.created")


async def _calls(shop: Shop, order: str) -> list[tuple[str, int]]:
    """Return who made each call to the gateway for *order* that ended well, and at which attempt."""
    handle = shop.stack.client.get_workflow_handle(workflow_id(order))
    history: WorkflowHistory = await handle.fetch_history()
    events = {event.event_id: event for event in history.events}
    ended: list[tuple[str, int]] = []
    for event in history.events:
        if not event.HasField("activity_task_completed_event_attributes"):
            continue
        completed = event.activity_task_completed_event_attributes
        scheduled = events[completed.scheduled_event_id].activity_task_scheduled_event_attributes
        if scheduled.activity_type.name == PERFORM_GATEWAY_REQUEST:
            started = events[completed.started_event_id].activity_task_started_event_attributes
            ended.append((completed.identity.partition("@")[0] + "@", started.attempt))
    return ended


async def _paid(shop: Shop, order: str) -> tuple[int, int]:
    """Return what is captured for *order*, which our books and the gateway's agree on, and by how many captures."""
    found: Any = await shop.get(f"/v1/orders/{order}")
    async with httpx.AsyncClient(base_url=shop.stack.gateway_url) as http:
        rows = (await http.get("/books")).json()["rows"]
    (row,) = [row for row in rows if row["reference"] == f"auth-{found['external_id']}"]
    assert [payment["captured"]["amount"] for payment in found["payments"]] == [row["captured"]]
    return row["captured"], row["captures"]


async def _findings(shop: Shop) -> list[Finding]:
    async with snapshot(shop.stack.engine) as conn:
        return list((await examine(conn)).findings)


async def _taken_in(shop: Shop) -> int:
    async with shop.stack.engine.connect() as conn:
        return await conn.scalar(select(func.count()).select_from(intake)) or 0


async def _order(shop: Shop, external_id: str) -> str:
    async with shop.stack.engine.connect() as conn:
        order = await conn.scalar(select(intake.c.order_id).where(intake.c.external_id == external_id))
    assert order is not None, f"{external_id} is not taken in"
    return order


async def _until_led(shop: Shop, *, by_other_than: int | None) -> int:
    """Wait until a relay leads over another connection, and return which."""
    query = text(
        "SELECT pid FROM pg_locks JOIN pg_database d ON d.oid = database AND datname = current_database() "
        "WHERE locktype = 'advisory' AND granted AND (classid::bigint << 32 | objid::bigint) = :lock"
    )

    async def look() -> int | None:
        async with shop.stack.engine.connect() as conn:
            pid = await conn.scalar(query, {"lock": RELAY_LEADER})
        return pid if pid != by_other_than else None

    return await shop.until(look, lambda: "a relay leads")
