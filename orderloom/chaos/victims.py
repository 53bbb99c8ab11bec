"""What can be killed in a fleet, and how it comes back: at the same address, with the same data."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from orderloom.bootstrap.fleet import Fleet
from orderloom.bootstrap.processes import Process

PATIENCE = 60.0
"""Seconds within which a victim must be back."""


class Victim(StrEnum):
    """Who can be killed."""

    WORKER = "worker"
    API = "API"
    RELAY = "relay"
    TEMPORAL = "Temporal"
    POSTGRES = "PostgreSQL"
    GATEWAY = "gateway"


SERVERS = (Victim.TEMPORAL, Victim.POSTGRES)


@dataclass(frozen=True)
class Life:
    """How a victim is killed, and how it comes back."""

    kill: Callable[[], Awaitable[None]]
    resume: Callable[[], Awaitable[object]]


def lives(fleet: Fleet) -> dict[Victim, Life]:
    """Return everyone's life; of several workers the first one is struck."""
    servers = fleet.servers
    return {
        Victim.WORKER: _process(fleet.workers[0]),
        Victim.API: _process(fleet.api),
        Victim.RELAY: _process(fleet.relay),
        Victim.TEMPORAL: Life(servers.temporal.kill, servers.temporal.resume),
        Victim.POSTGRES: Life(servers.postgres.kill, servers.postgres.resume),
        Victim.GATEWAY: _process(fleet.gateway),
    }


def _process(process: Process) -> Life:
    return Life(process.kill, process.start)


async def strike(lives: Mapping[Victim, Life], victims: Collection[Victim]) -> None:
    """Kill all *victims* at the same moment."""
    await asyncio.gather(*(lives[victim].kill() for victim in victims))


async def bring_back(lives: Mapping[Victim, Life], victims: Collection[Victim]) -> None:
    """Start *victims* again: servers first, as a process that finds none of them ends again."""
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(lives[victim].resume() for victim in victims if victim in SERVERS))
        await asyncio.gather(*(lives[victim].resume() for victim in victims if victim not in SERVERS))


def fallen(fleet: Fleet) -> list[str]:
    """Return who does not run, though nobody killed it: each must outlive what befalls the others."""
    processes = (fleet.gateway, *fleet.workers, fleet.relay, fleet.api)
    return [f"the {each.name} ended with status {each.status}" for each in processes if not each.running]
