"""Where blows fall: the deployment, and what blows need to reach it."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Protocol

import aiohttp
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from orderloom.bootstrap.fleet import Fleet
from orderloom.chaos.outside import Outside
from orderloom.chaos.victims import Life, Victim
from orderloom.chaos.wire import Wire
from orderloom.persistence.vault import Vault


@dataclass(kw_only=True)
class Scene:
    """A deployment with orders under way."""

    fleet: Fleet
    lives: Mapping[Victim, Life]
    outside: Outside
    engine: AsyncEngine
    vault: Vault
    client: Client
    http: aiohttp.ClientSession
    wire: Wire
    random: Random
    dead: int = 0
    """Intake rows that must be given up: they cannot be understood."""


class Blow(Protocol):
    """One way to break something."""

    @property
    def kind(self) -> str:
        """What it is counted as."""
        ...

    @property
    def detail(self) -> str:
        """What it does, in a few words."""
        ...

    async def fall(self, scene: Scene) -> None:
        """
        Break it, and put it right again.

        Raises:
            BlowMissed: nothing was broken by it.
        """
        ...
