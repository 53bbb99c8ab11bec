"""The monitor of a running stack: ready when everything answers, and not a moment longer."""

from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.settings import Settings
from orderloom.stack import Options, Part, Stack


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Return settings with a monitor."""
    return settings.model_copy(update={"monitor_port": 0})


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """Return a client."""
    async with httpx.AsyncClient(timeout=10) as http:
        yield http


async def test_a_stack_is_ready_when_all_of_it_works(stack: Stack, http: httpx.AsyncClient) -> None:
    """With API, relay, gateway and both workers running, the process lives and is ready."""
    live = await http.get(f"{stack.monitor_url}/health/live")
    ready = await http.get(f"{stack.monitor_url}/health/ready")

    assert (live.status_code, ready.status_code, ready.json()) == (200, 200, {"status": "ok"})


async def test_a_lost_database_makes_a_process_unready(
    stack: Stack, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says that the database is missing, by status and name; it lives on, and nothing else is said to be missing."""

    def refuse(*_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(type(stack.engine), "connect", refuse)

    ready = await http.get(f"{stack.monitor_url}/health/ready")
    live = await http.get(f"{stack.monitor_url}/health/live")

    assert ready.status_code == 503
    assert ready.json() == {"status": "working", "missing": ["database", "keys"]}
    assert live.status_code == 200


async def test_a_worker_that_stops_is_not_ready(
    settings: Settings, options: Options, engine: AsyncEngine, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the parts stop, the monitor still answers: the process lives and is not ready any more."""
    answers: list[tuple[int, object]] = []

    async with Stack.start(settings, Options(parts=(Part.ORDERS, Part.OUTSIDE))) as stack:
        url, dispose = f"{stack.monitor_url}/health", type(stack.engine).dispose

        async def ask_then_dispose(self: AsyncEngine) -> None:
            for path in ("live", "ready"):
                answer = await http.get(f"{url}/{path}")
                answers.append((answer.status_code, answer.json()))
            await dispose(self)

        before = await http.get(f"{url}/ready")
        monkeypatch.setattr(type(stack.engine), "dispose", ask_then_dispose)

    assert before.status_code == 200
    assert answers[:2] == [(200, {"status": "ok"}), (503, {"status": "stopping", "missing": ["outside", "orders"]})]
    with pytest.raises(httpx.ConnectError):
        await http.get(f"{url}/live")


async def test_without_the_setting_there_is_no_monitor(settings: Settings, options: Options) -> None:
    """Unset, the process listens nowhere but where its parts do."""
    plain = settings.model_copy(update={"monitor_port": None})

    async with Stack.start(plain, Options(parts=(Part.GATEWAY,))) as stack:
        assert stack.monitor_url == ""
        assert stack.gateway_url != ""
