"""Lets time pass, as long as no timeout is over."""

from datetime import datetime

from flows_dsl.turn import TimeIsUp, Turn


async def until(turn: Turn, instant: datetime, suffix: str = "") -> None:
    """
    Return at *instant*; *suffix* tells this wait of the task from others.

    Raises:
        TimeIsUp: a timeout is over before.
    """
    limit = turn.limit()
    due = min(instant, limit.at) if limit else instant
    await turn.runner.wait(turn.step(suffix), due)
    if limit and limit.at < instant:
        raise TimeIsUp(limit)
