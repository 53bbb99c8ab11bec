"""What is to be broken, and how often: all of it from a seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from math import ceil
from random import Random

from orderloom.chaos.hindrances import CONNECTIONS, FULL, GATEWAY, Crowd, Cut, Hold, Lose, Rewire, Slow, Trouble
from orderloom.chaos.kills import Kill
from orderloom.chaos.poison import POISON, Poison
from orderloom.chaos.report import ENOUGH, UNFINISHED
from orderloom.chaos.scene import Blow
from orderloom.chaos.victims import Victim
from orderloom.chaos.wrong_code import WRONG_CODE, WrongCode
from orderloom.gateways.sandbox import Fault, FaultKind

ALONE = (Victim.WORKER, Victim.API, Victim.RELAY, Victim.TEMPORAL, Victim.POSTGRES)
TOGETHER = "together"
ABSENCE = 0.6
"""Seconds that a victim stays away, at most."""
PER_STRIKE = 40
"""Of the orders of a run, one kill of each kind for so many; and never fewer than enough kills."""
SHORT = 600
"""Up to so many orders acts are put together: it is the drain after each act that takes the time."""
MARGIN = 4
"""Orders that are kept unfinished beyond those that must be."""
FEW = 16
"""Orders of an act that needs no crowd."""
TOGETHER_IN_SHORT = (
    (Victim.WORKER, Victim.API, Victim.RELAY),
    (Victim.TEMPORAL, Victim.POSTGRES),
    (TOGETHER,),
    (GATEWAY, POISON),
    (WRONG_CODE, FULL, CONNECTIONS),
)
"""Kinds that share an act in the short form."""


@dataclass(frozen=True)
class Part:
    """One act as it is planned."""

    name: str
    blows: Sequence[Blow]
    orders: int
    keep: int
    """Orders that are kept unfinished until the last blow."""


class Plan:
    """All acts of a run, and how many orders each has."""

    def __init__(self, seed: int, orders: int) -> None:
        """Plan a run of *orders* orders, or of more if they would not be enough to be struck."""
        self.seed = seed
        random = Random(f"{seed} plan")
        rounds = max(ENOUGH, orders // (PER_STRIKE * (len(ALONE) + 1)))
        kills, others = _kills(random, rounds), _others(random, max(1, rounds // ENOUGH))
        self.kills = tuple(kills)
        """Kinds of kill, each of which must strike often enough."""
        few = max(FEW, orders // 100)
        crowd = max(UNFINISHED + 2 * MARGIN, ceil((orders - few * len(others)) / len(kills)))
        groups = TOGETHER_IN_SHORT if orders <= SHORT else tuple((kind,) for kind in (*kills, *others))
        self.parts = [
            _part(group, kills, crowd * len(group), UNFINISHED + MARGIN)
            if group[0] in kills
            else _part(group, others, few * len(group), few * len(group) // 2)
            for group in groups
        ]

    @property
    def orders(self) -> int:
        """How many orders there are in all."""
        return sum(part.orders for part in self.parts)


def _part(group: Sequence[str], blows: Mapping[str, Sequence[Blow]], orders: int, keep: int) -> Part:
    """Return the act of the kinds in *group*, which take turns."""
    turns = zip_longest(*(blows[kind] for kind in group))
    return Part(", ".join(group), [blow for turn in turns for blow in turn if blow is not None], orders, keep)


def _kills(random: Random, rounds: int) -> dict[str, list[Blow]]:
    alone: dict[str, list[Blow]] = {victim: [_kill(random, victim, victim) for _ in range(rounds)] for victim in ALONE}
    together: list[Blow] = [
        _kill(random, TOGETHER, *random.sample(ALONE, random.randint(2, len(ALONE)))) for _ in range(rounds - 1)
    ]
    # At least once it is all of them.
    return {**alone, TOGETHER: [*together, _kill(random, TOGETHER, *ALONE)]}


def _kill(random: Random, kind: str, *victims: Victim) -> Kill:
    return Kill(kind, victims, random.random() * ABSENCE)


def _others(random: Random, rounds: int) -> dict[str, list[Blow]]:
    return {
        GATEWAY: [blow for _ in range(rounds) for blow in _gateway(random)],
        POISON: [Poison() for _ in range(rounds)],
        WRONG_CODE: [WrongCode() for _ in range(rounds)],
        FULL: [Crowd(2.0 + random.random()) for _ in range(rounds)],
        CONNECTIONS: [Rewire(), *(blow for _ in range(rounds) for blow in _wire(random))],
    }


def _gateway(random: Random) -> list[Blow]:
    silent = (Fault(kind=FaultKind.TIMEOUT_BEFORE, times=2), Fault(kind=FaultKind.TIMEOUT_AFTER, nth=3, times=2))
    said = (Fault(kind=FaultKind.DUPLICATE_WEBHOOK, times=3), Fault(kind=FaultKind.EARLY_WEBHOOK, nth=2, times=3))
    return [
        Kill(GATEWAY, (Victim.GATEWAY,), 2 * random.random()),
        Trouble((*silent, *said), 1.0),
        Trouble((Fault(kind=FaultKind.UNAVAILABLE, times=1_000),), 1.0),
    ]


def _wire(random: Random) -> list[Blow]:
    return [Cut(3), Slow(0.02 + random.random() / 10, 1.5), Lose(), Hold(3.0 + random.random())]
