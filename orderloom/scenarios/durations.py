"""Business time since the scenario's start, written as authors write it."""

from datetime import datetime

_MINUTE = 60


def since(start: datetime, instant: datetime) -> str:
    """
    Return the time from *start* to *instant* to the nearest minute, such as ``2h`` or ``1d30m``; below that ``0s``.

    The machine's own clock goes on while a scenario runs, so seconds mean nothing here.
    """
    return normal((instant - start).total_seconds())


def normal(seconds: float) -> str:
    """Return a span of so many seconds to the nearest minute, as `since` does."""
    minutes = round(seconds / _MINUTE)
    days, minutes = divmod(minutes, 24 * 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "m")]
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"
