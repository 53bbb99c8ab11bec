"""Waves: the orders of a routing pool that are due are routed together, each as its own attempt would do it."""

from orderloom.domain.model import Frozen
from orderloom.domain.router import Attempted
from orderloom.domain.situation import Situation


class Found(Frozen):
    """What an attempt saw, and what it came to."""

    seen: Situation
    attempted: Attempted
