"""Sudden deaths."""

import asyncio
from dataclasses import dataclass

from orderloom.chaos.scene import Scene
from orderloom.chaos.victims import Victim, bring_back, strike


@dataclass(frozen=True)
class Kill:
    """SIGKILL to all victims at the same moment; they stay away for some seconds."""

    kind: str
    victims: tuple[Victim, ...]
    absence: float

    @property
    def detail(self) -> str:
        """Who dies."""
        return f"killed {', '.join(self.victims)}"

    async def fall(self, scene: Scene) -> None:
        """Kill them, and bring them back where they were."""
        await strike(scene.lives, self.victims)
        await asyncio.sleep(self.absence)
        await bring_back(scene.lives, self.victims)
