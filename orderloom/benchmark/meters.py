"""What processes cost, as the operating system counts it."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager

import psutil

from orderloom.benchmark.generator import Told
from orderloom.bootstrap.fleet import Fleet

LOAD = "load generator"
GLANCE = 0.5
"""Seconds between two looks at memory."""


class CpuMeter:
    """Counts what a fleet's processes spend from the moment that a load generator says that it counts."""

    def __init__(self, fleet: Fleet, told: Told) -> None:
        """Take the fleet, and who else wants to hear how far the load generator is."""
        self._processes = processes(fleet)
        self._at_first = cpu(self._processes)
        self._pass_on = told

    def told(self, ended: int) -> None:
        """Hear how far the load generator is."""
        if ended == 0:
            self._at_first = cpu(self._processes)
        self._pass_on(ended)

    def spent(self, generator: float) -> dict[str, float]:
        """Return CPU seconds by process until now, beside those that the load generator says it spent."""
        now = cpu(self._processes)
        return {**{name: now[name] - before for name, before in self._at_first.items()}, LOAD: generator}


@asynccontextmanager
async def most_resident(of: Mapping[str, Iterable[int]]) -> AsyncGenerator[dict[str, int]]:
    """Look again and again how much memory processes hold, and give the most bytes that were seen, by name."""
    processes = {name: tuple(pids) for name, pids in of.items()}
    most = dict.fromkeys(processes, 0)

    async def look() -> None:
        while True:
            for name, pids in processes.items():
                most[name] = max(most[name], resident(pids))
            await asyncio.sleep(GLANCE)

    looking = asyncio.create_task(look())
    try:
        yield most
    finally:
        looking.cancel()


def processes(fleet: Fleet) -> dict[str, tuple[int, ...]]:
    """Return the process ids of a fleet and its servers, by what they do."""
    return {
        "worker": tuple(worker.pid for worker in fleet.workers),
        "API": (fleet.api.pid,),
        "relay": (fleet.relay.pid,),
        "gateway": (fleet.gateway.pid,),
        "Temporal": (fleet.servers.temporal.pid,),
        "PostgreSQL": (fleet.servers.postgres.pid,),
    }


def cpu(of: Mapping[str, Iterable[int]]) -> dict[str, float]:
    """Return the CPU seconds that processes have used so far, with their children that live or have ended."""
    return {name: sum(map(_cpu_seconds, pids)) for name, pids in of.items()}


def resident(pids: Iterable[int]) -> int:
    """Return how many bytes of memory processes hold."""
    return sum(psutil.Process(pid).memory_info().rss for pid in pids)


def _cpu_seconds(pid: int) -> float:
    process = psutil.Process(pid)
    own = process.cpu_times()
    ended = own.children_user + own.children_system
    return own.user + own.system + ended + sum(map(_own_seconds, process.children(recursive=True)))


def _own_seconds(process: psutil.Process) -> float:
    try:
        spent = process.cpu_times()
    except psutil.NoSuchProcess:
        # It ended just now: its parent has counted it.
        return 0.0
    return spent.user + spent.system
