"""The monitor: what a process says of itself while it starts, works, lacks something, and stops."""

import asyncio

import httpx
import pytest

from orderloom.bootstrap.health import Health
from orderloom.bootstrap.monitor import monitor_app


async def _there() -> None:
    return


async def _refuses() -> None:
    raise ConnectionError("refused")


async def _hangs() -> None:
    await asyncio.Event().wait()


async def _numbers() -> bytes:
    return b"told 1\n"


async def _ask(health: Health) -> tuple[int, object]:
    transport = httpx.ASGITransport(monitor_app(health, _numbers))
    async with httpx.AsyncClient(transport=transport, base_url="http://monitor") as http:
        assert (await http.get("/health/live")).status_code == 200, "it lives whatever it lacks"
        answer = await http.get("/health/ready")
    return answer.status_code, answer.json()


async def test_a_process_is_ready_only_while_it_works() -> None:
    """Before it works and as soon as it begins to stop it is not ready, though nothing is missing."""
    health = Health()
    health.needs(database=_there)

    before = await _ask(health)
    with health.working():
        within = await _ask(health)
    after = await _ask(health)

    assert before == (503, {"status": "starting", "missing": []})
    assert within == (200, {"status": "ok"})
    assert after == (503, {"status": "stopping", "missing": []})


async def test_a_process_that_is_stopped_by_force_is_not_ready() -> None:
    """Cancelled in the middle of its work, it is stopping."""
    health = Health()

    with pytest.raises(asyncio.CancelledError), health.working():
        raise asyncio.CancelledError

    assert await _ask(health) == (503, {"status": "stopping", "missing": []})


async def test_what_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """What refuses and what hangs are both named, in the order in which they are needed; what answers is not."""
    monkeypatch.setattr("orderloom.bootstrap.health.PATIENCE", 0.05)
    health = Health()
    health.needs(database=_refuses, keys=_there, workflows=_hangs)

    with health.working():
        answer = await _ask(health)

    assert answer == (503, {"status": "working", "missing": ["database", "workflows"]})


async def test_the_numbers_are_told_as_prometheus_reads_them() -> None:
    """What the process counts comes as it is, in the text format's own media type, ready or not."""
    transport = httpx.ASGITransport(monitor_app(Health(), _numbers))
    async with httpx.AsyncClient(transport=transport, base_url="http://monitor") as http:
        answer = await http.get("/metrics")

    assert (answer.status_code, answer.content) == (200, b"told 1\n")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
