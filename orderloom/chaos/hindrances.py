"""What hinders without killing: bad wires, no free connection, a gateway in trouble."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from time import monotonic

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orderloom.bootstrap.database import create_engine
from orderloom.bootstrap.processes import Process
from orderloom.chaos.errors import BlowMissed
from orderloom.chaos.scene import Scene
from orderloom.gateways.sandbox import Fault

CONNECTIONS = "connections"
GATEWAY = "gateway"
FULL = "full pool"
MOST = 1_000
"""Connections that a stranger would take."""


@dataclass(frozen=True)
class Rewire:
    """From here on the processes reach PostgreSQL by way of the wire."""

    kind: str = CONNECTIONS
    detail: str = "put a wire before PostgreSQL"

    async def fall(self, scene: Scene) -> None:
        """Start every process that uses a database again, at the wire's end."""
        addresses, wire = scene.fleet.servers.addresses, scene.wire
        urls = {"DATABASE_URL": wire.url(addresses.database_url), "ORDERLOOM_KEYS_URL": wire.url(addresses.keys_url)}
        processes = (*scene.fleet.workers, scene.fleet.relay, scene.fleet.api)
        await asyncio.gather(*(_again(process, urls) for process in processes))
        if not wire.connections:
            raise BlowMissed("nobody connects by way of the wire")


async def _again(process: Process, urls: dict[str, str]) -> None:
    await process.kill()
    process.environment.update(urls)
    await process.start()


@dataclass(frozen=True)
class Cut:
    """Connections are cut again and again, in the middle of whatever is on them."""

    times: int
    kind: str = CONNECTIONS

    @property
    def detail(self) -> str:
        """How often."""
        return f"cut all connections {self.times} times"

    async def fall(self, scene: Scene) -> None:
        """Cut them."""
        for _ in range(self.times):
            scene.wire.cut()
            await asyncio.sleep(scene.random.random())


@dataclass(frozen=True)
class Slow:
    """Everything to and from PostgreSQL takes longer."""

    delay: float
    seconds: float
    kind: str = CONNECTIONS

    @property
    def detail(self) -> str:
        """How much longer, how long."""
        return f"slowed connections by {self.delay * 1000:.0f} ms for {self.seconds:.1f} s"

    async def fall(self, scene: Scene) -> None:
        """Slow them, then let them be as fast as before."""
        scene.wire.delay = self.delay
        await asyncio.sleep(self.seconds)
        scene.wire.delay = 0.0


@dataclass(frozen=True)
class Hold:
    """Nothing comes through to PostgreSQL, and nobody is told: every pool runs full of connections that hang."""

    seconds: float
    kind: str = CONNECTIONS

    @property
    def detail(self) -> str:
        """How long."""
        return f"held up all connections for {self.seconds:.1f} s"

    async def fall(self, scene: Scene) -> None:
        """Hold everything, then let it through."""
        scene.wire.hold()
        await asyncio.sleep(self.seconds)
        scene.wire.release()


@dataclass(frozen=True)
class Lose:
    """Every connection leads nowhere from now on, and nobody is told; new ones are well."""

    kind: str = CONNECTIONS
    detail: str = "let every connection lead nowhere"

    async def fall(self, scene: Scene) -> None:
        """Lose them; who waits must find out alone."""
        scene.wire.lose()


@dataclass(frozen=True)
class Crowd:
    """A stranger takes every connection that PostgreSQL has, and all others are sent away."""

    seconds: float
    kind: str = FULL

    @property
    def detail(self) -> str:
        """How long."""
        return f"left PostgreSQL without a free connection for {self.seconds:.1f} s"

    async def fall(self, scene: Scene) -> None:
        """Send everybody away, take what is free, and give it back."""
        stranger = create_engine(scene.fleet.servers.addresses.database_url, pooled=False)
        async with AsyncExitStack() as taken:
            taken.push_async_callback(stranger.dispose)
            first = await _take_one(stranger, taken)
            ends = monotonic() + self.seconds
            while monotonic() < ends:
                await first.execute(_SEND_AWAY)
                await _take_all(stranger, taken)


_CALL_ONESELF = text("SET application_name = 'stranger'")
_SEND_AWAY = text(
    """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IS NOT NULL AND application_name <> 'stranger'
    """
)


async def _take_one(stranger: AsyncEngine, taken: AsyncExitStack) -> AsyncConnection:
    connection = await taken.enter_async_context(stranger.connect())
    await connection.execution_options(isolation_level="AUTOCOMMIT")
    await connection.execute(_CALL_ONESELF)
    return connection


async def _take_all(stranger: AsyncEngine, taken: AsyncExitStack) -> None:
    """Take connections until there is none left to be had."""
    for _ in range(MOST):
        try:
            await _take_one(stranger, taken)
        except DBAPIError:
            return
    raise BlowMissed(f"PostgreSQL still has connections after {MOST}")


@dataclass(frozen=True)
class Trouble:
    """The gateway has faults: it does not answer, or does what it is asked and does not say so, or says it twice."""

    faults: tuple[Fault, ...]
    seconds: float
    kind: str = GATEWAY

    @property
    def detail(self) -> str:
        """Which faults."""
        return f"gateway: {', '.join(fault.kind for fault in self.faults)}"

    async def fall(self, scene: Scene) -> None:
        """Put the faults in force, and lift them."""
        board = f"{scene.fleet.gateway_url}/faults"
        for fault in self.faults:
            async with scene.http.post(board, json=fault.model_dump(mode="json")) as answer:
                answer.raise_for_status()
        await asyncio.sleep(self.seconds)
        async with scene.http.delete(board) as answer:
            answer.raise_for_status()
