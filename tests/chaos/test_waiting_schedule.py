"""A routing schedule that waits while everything it waits with is killed."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest

from orderloom.bootstrap.database import create_engine
from orderloom.bootstrap.fleet import Fleet
from orderloom.chaos.asking import Asking
from orderloom.chaos.victims import Victim, bring_back, lives, strike
from orderloom.domain.routing_policy import RoutingPolicy
from tests.workflows.shop import open_shop, order_body

BACKOFF = 8.0
"""Seconds between attempts: as long as servers and worker take to come back, and a little more."""
ATTEMPTS = 3
PATIENCE = 60.0
VICTIMS = (Victim.WORKER, Victim.TEMPORAL, Victim.POSTGRES)


@pytest.fixture
def directory() -> Iterator[Path]:
    """Return a directory that PostgreSQL's own user may enter, with a short path."""
    path = Path(tempfile.mkdtemp(prefix="ol-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
async def fleet(directory: Path) -> AsyncIterator[Fleet]:
    """Return a process for each role at full durability; its channel tries three times, 8 s apart."""
    async with Fleet.start(directory, settings={"ORDERLOOM_SANDBOX": "false"}) as fleet:
        engine = create_engine(fleet.servers.addresses.database_url, pooled=False)
        policy = RoutingPolicy(max_attempts=ATTEMPTS, backoff=BACKOFF, backoff_factor=1)
        await open_shop(engine, routing=policy)
        await engine.dispose()
        yield fleet


@pytest.fixture
async def asking() -> AsyncIterator[Asking]:
    """Return somebody outside, who asks until there is an answer."""
    async with aiohttp.ClientSession() as http:
        yield Asking(http, Random(7))


async def _until(asking: Asking, order: str, *statuses: str) -> list[Any]:
    """Return the order's schedules as soon as they are so."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = (await asking.get(f"{order}/routing-schedules")).body["items"]
            if [one["status"] for one in found] == list(statuses):
                return found
            await asyncio.sleep(0.1)


@pytest.mark.timeout(180)
async def test_a_schedule_outlives_everything(fleet: Fleet, asking: Asking) -> None:
    """
    Worker, Temporal and PostgreSQL are killed while it waits: it is tried at its date, once, and then completed.

    Killed once more and back only when the next date has passed, that one is tried late, once, and abandoned. What is
    over keeps its date.
    """
    v1, life = f"{fleet.api_url}/v1", lives(fleet)
    placed = await asking.tell(f"{v1}/orders", order_body("W-1", lamps=1_001), "place")
    order = f"{v1}/orders/{placed.body['id']}"
    _, waiting = await _until(asking, order, "completed", "scheduled")

    await strike(life, VICTIMS)
    await bring_back(life, VICTIMS)
    assert (await asking.get(f"{order}/routing-schedules")).body["items"][1] == waiting
    _, tried, late = await _until(asking, order, "completed", "completed", "scheduled")
    assert tried["scheduled_at"] == waiting["scheduled_at"]

    await strike(life, VICTIMS)
    await _until_past(late["scheduled_at"])
    await bring_back(life, VICTIMS)
    *_, abandoned = await _until(asking, order, "completed", "completed", "abandoned")

    assert abandoned["scheduled_at"] == late["scheduled_at"]
    attempts = [(await asking.get(f"{order}/routing-attempts/{n}")).body for n in (1, 2, 3)]
    assert [(one["schedule"], one["outcome"], one["attempts"]) for one in attempts] == [
        (1, "NO_STOCK", 3),
        (2, "NO_STOCK", 3),
        (3, "NO_STOCK", 3),
    ]
    for attempt, schedule in zip(attempts[1:], (tried, abandoned), strict=True):
        assert datetime.fromisoformat(attempt["at"]) >= datetime.fromisoformat(schedule["scheduled_at"])
    journal = (await asking.get(f"{order}/journal?limit=200")).body["items"]
    told = [one["type"] for one in journal if one["type"].startswith(("routing.", "exception.raised"))]
    assert told == ["routing.scheduled", "routing.attempted"] * 3 + ["routing.abandoned", "exception.raised"]
    for number in (1, 2, 3):
        moved = await asking.tell(
            f"{order}/routing-schedules/{number}", {"scheduled_at": "2027-01-01T00:00:00Z"}, f"move-{number}"
        )
        assert (moved.status, moved.body["code"]) == (409, "routing.schedule_frozen")
    assert (await asking.get(f"{order}/routing-schedules")).body["items"][1:] == [tried, abandoned]
    assert asking.contradictions == []


async def _until_past(date: str) -> None:
    left = datetime.fromisoformat(date) - datetime.now().astimezone()
    await asyncio.sleep(max(0.0, left.total_seconds()) + 0.5)
