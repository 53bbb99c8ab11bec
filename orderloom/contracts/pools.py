"""Routing pools: one workflow each, which has the due orders of its pool routed together."""

from orderloom.domain.model import Message

ROUTING_POOL = "RoutingPool"
"""The registered name of the workflow of a routing pool: ``RouteWave`` to nothing. It ends when nothing is due."""

ROUTE_WAVE = "route-wave"
"""Activity on queue ``routing``: ``RouteWave`` to ``WaveRouted``."""


class RouteWave(Message):
    """Names a pool of which orders are due."""

    pool: str
    offset: float = 0.0
    """Seconds that business time is ahead of the machines' clocks; only scenarios set it."""
    max_waves: int = 50
    """Waves of one run; then it continues as new, so that no history grows."""


class WaveRouted(Message):
    """What a wave came to; which orders it was is in PostgreSQL."""

    orders: int = 0
    """How many were due."""
    left_over: int = 0
    """Of these, how many got no proposal, since they were busy or stock had moved."""
    more: bool = False
    """It could not take all that were due."""


def pool_workflow_id(pool: str) -> str:
    """Return the id of the workflow of *pool*."""
    return f"routing-pool:{pool}"
