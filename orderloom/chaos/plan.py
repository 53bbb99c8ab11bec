"""What is to be broken, and when: all of it from a seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from orderloom.chaos.report import ENOUGH, UNFINISHED
from orderloom.chaos.victims import Victim

ALONE = (Victim.WORKER, Victim.API, Victim.RELAY, Victim.TEMPORAL, Victim.POSTGRES)
TOGETHER = "together"
ABSENCE = 1.0
"""Seconds that a victim stays away, at most."""
LEAST = UNFINISHED + 8
"""Orders of an act: enough of them are under way, and some can end meanwhile."""


@dataclass(frozen=True)
class Blow:
    """Who is killed, and how many seconds they stay away."""

    kind: str
    victims: tuple[Victim, ...]
    absence: float


class Plan:
    """All acts of a run: each has its share of the orders."""

    def __init__(self, seed: int, orders: int) -> None:
        """Plan a run of at least *orders* orders."""
        self.seed = seed
        random = Random(f"{seed} plan")
        rounds = max(ENOUGH, orders // 60)
        self.acts: list[tuple[str, Sequence[Blow]]] = [
            (victim, [Blow(victim, (victim,), random.random() * ABSENCE) for _ in range(rounds)]) for victim in ALONE
        ]
        self.acts.append((TOGETHER, [_together(random) for _ in range(rounds)]))
        self.kills = [name for name, _ in self.acts]
        self._share = max(LEAST, orders // len(self.acts))
        self.orders = self._share * len(self.acts)

    def orders_of(self, act: str) -> int:
        """Return how many orders *act* has."""
        del act
        return self._share


def _together(random: Random) -> Blow:
    victims = random.sample(ALONE, random.randint(2, len(ALONE)))
    return Blow(TOGETHER, tuple(victims), random.random() * ABSENCE)
