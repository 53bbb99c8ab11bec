"""A case: what is run. Everything that its file says once for all cases is in it."""

from pathlib import Path

from orderloom.domain.model import Frozen
from orderloom.scenarios.steps import Step
from orderloom.scenarios.world import Order, World


class Case(Frozen):
    """What is run: a case with all that it takes over from its file."""

    file: str
    title: str
    world: World
    orders: dict[str, Order]
    steps: tuple[Step, ...]
    places: tuple[str, ...]
    """``file:line:column`` of each step."""

    @property
    def folder(self) -> Path:
        """Return the folder that paths in the file are relative to."""
        return Path(self.file).parent
