"""The verdict sees what it is there to see: one that cannot fail proves nothing."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from sqlalchemy import text

from orderloom.bootstrap.fleet import Fleet
from orderloom.chaos.outside import Promise
from orderloom.chaos.passes import all_waves, under_way
from orderloom.chaos.plan import Part, Plan
from orderloom.chaos.run import Run, prepared
from orderloom.chaos.scene import Scene
from orderloom.chaos.stories import POOLED, Story

ORDERS = 12


@dataclass(frozen=True)
class Calm:
    """A blow that breaks nothing."""

    kind: str = "calm"
    detail: str = "nothing"

    async def fall(self, scene: Scene) -> None:
        """Do nothing."""


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """Return a directory that PostgreSQL's own user may enter, with a short path."""
    path = Path(tempfile.mkdtemp(prefix="ol-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
async def ended(directory: Path) -> AsyncIterator[Run]:
    """Return a run whose orders have all ended well."""
    plan = Plan(3, 0)
    plan.parts, plan.kills = [Part("calm", [Calm()], ORDERS, ORDERS)], ()
    async with (
        Fleet.start(directory, settings={"ORDERLOOM_SANDBOX": "false"}) as fleet,
        prepared(fleet, plan, lambda _: None) as run,
    ):
        report = await run.run()
        assert report.failures == []
        yield run


def _one(run: Run, story: Story) -> Promise:
    return next(promise for promise in run._outside.promises if promise.order.story is story)


async def _verdict(run: Run) -> str:
    return "\n".join(await run._verdict.failures(run._outside.promises))


async def _change(run: Run, statement: str, **values: object) -> None:
    async with run._scene.engine.begin() as conn:
        await conn.execute(text(statement), values)


async def test_all_is_well_when_all_is_well(ended: Run) -> None:
    """Nothing was broken, and nothing is found."""
    assert await _verdict(ended) == ""


async def test_an_order_that_nobody_has_is_found(ended: Run) -> None:
    """The channel was given a number that leads nowhere, and there is an order too few."""
    promise = _one(ended, Story.STANDARD)
    lost = Promise(SimpleNamespace(external_id="lost", end=promise.order.end, story="lost"), number="1")  # pyright: ignore[reportArgumentType]

    found = "\n".join(await ended._verdict.failures([*ended._outside.promises, lost]))

    assert "the channel's number lost leads to []" in found
    assert f"{ORDERS} orders, where {ORDERS + 1} were promised" in found


async def test_a_capture_of_the_gateways_own_is_found(ended: Run) -> None:
    """The gateway's books hold more than ours: order and total are named."""
    order = _one(ended, Story.CANCELLED).order
    given = {"reference": f"late-{order.external_id}", "kind": "capture", "amount": 7, "currency": "EUR"}
    async with httpx.AsyncClient(base_url=ended._scene.fleet.gateway_url) as http:
        given["now"] = "2026-01-01T00:00:00Z"
        (await http.post("/references", json=given)).raise_for_status()

    found = await _verdict(ended)

    assert "captured: ours " in found


async def test_a_reservation_that_is_left_is_found(ended: Run) -> None:
    """One row that became active again."""
    number = _one(ended, Story.STANDARD).number
    one = "id = (SELECT min(id) FROM reservations WHERE order_id = :order)"
    (status,) = await _read(ended, f"SELECT status FROM reservations WHERE {one}", order=number)
    await _change(ended, f"UPDATE reservations SET status = 'active' WHERE {one}", order=number)

    found = await _verdict(ended)
    await _change(ended, f"UPDATE reservations SET status = :status WHERE {one}", order=number, status=status)

    assert "1 active reservations" in found


async def test_orders_were_routed_in_waves(ended: Run) -> None:
    """Those of the pooled channel went out as waves had proposed, and no wave was cut short where nothing is broken."""
    pooled = [each for each in ended._outside.promises if each.order.body["channel"] == POOLED]
    routed = [each for each in pooled if each.order.story is not Story.DECLINED]

    waves = await all_waves(ended._scene.engine)

    assert len(routed) > 0
    assert (waves.orders, waves.cut_short) == (len(routed), 0)
    assert await under_way(ended._scene.engine) == frozenset()


async def test_what_a_wave_leaves_behind_is_found(ended: Run) -> None:
    """A proposal that is open again, a schedule that is still to come, and a location's day that is held."""
    one = "id = (SELECT min(id) FROM proposals WHERE wave_id IS NOT NULL)"
    wave, number = await _read(ended, f"SELECT wave_id, order_id FROM proposals WHERE {one}")
    schedule = "order_id = :order AND number = 1"
    await _change(ended, f"UPDATE proposals SET status = 'open' WHERE {one}")
    await _change(ended, f"UPDATE routing_schedules SET status = 'scheduled' WHERE {schedule}", order=number)
    await _change(ended, "UPDATE location_capacity SET held = held + 1")

    found = await _verdict(ended)
    waves = await under_way(ended._scene.engine)
    await _change(ended, f"UPDATE proposals SET status = 'accepted' WHERE {one}")
    await _change(ended, f"UPDATE routing_schedules SET status = 'completed' WHERE {schedule}", order=number)
    await _change(ended, "UPDATE location_capacity SET held = held - 1")

    assert waves == {wave}
    assert "1 open proposals" in found
    assert "1 routing schedules to come" in found
    assert "1 days with capacity that is held" in found
    assert "capacity.held" in found
    again = await _verdict(ended)
    assert not any(each in again for each in ("open proposals", "routing schedules", "capacity"))


async def test_what_was_told_twice_is_found(ended: Run) -> None:
    """An event that stands in the journal a second time."""
    number = _one(ended, Story.STANDARD).number
    await _change(
        ended,
        "INSERT INTO journal SELECT order_id, 1000, id || '!', source, type, time, data, cause FROM journal "
        "WHERE order_id = :order AND type = 'fulfillment.shipped'",
        order=number,
    )

    found = await _verdict(ended)
    await _change(ended, "DELETE FROM journal WHERE order_id = :order AND seq = 1000", order=number)

    assert f"order {number} (one shipment): fulfillment.shipped is 2, not 1" in found


async def test_a_lock_that_is_held_is_found(ended: Run) -> None:
    """Somebody beside the relay holds an advisory lock."""
    async with ended._scene.engine.connect() as conn:
        await conn.execute(text("SELECT pg_advisory_lock(1)"))
        found = await _verdict(ended)
        await conn.execute(text("SELECT pg_advisory_unlock(1)"))

    assert "2 advisory locks beside the relay's" in found


async def test_intake_that_waits_and_flows_that_run_are_found(ended: Run) -> None:
    """A row that nobody answered, and an instance that did not end."""
    number = _one(ended, Story.STANDARD).number
    await ended._scene.fleet.relay.kill()
    await _change(ended, "UPDATE flow_instances SET status = 'running' WHERE order_id = :o AND seq = 1", o=number)
    row = "order_id = :o AND type = 'order.placed'"
    await _change(ended, f"UPDATE intake SET status = 'received' WHERE {row}", o=number)

    found = await _verdict(ended)
    await _change(ended, f"UPDATE intake SET status = 'accepted' WHERE {row}", o=number)
    await _change(ended, "UPDATE flow_instances SET status = 'completed' WHERE order_id = :o AND seq = 1", o=number)
    await ended._scene.fleet.relay.start()

    assert "1 flows under way" in found
    assert "1 intake rows undelivered" in found
    assert "the relay ended with status -9" in found


async def _read(run: Run, query: str, **values: object) -> tuple[object, ...]:
    async with run._scene.engine.connect() as conn:
        return tuple((await conn.execute(text(query), values)).one())
