"""Business time for everything that is not a workflow: the one place that reads the machine's clock."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Business time in production: the machine's clock."""

    virtual = False
    """Whether it may be set ahead."""

    def now(self) -> datetime:
        """Return the instant, in UTC."""
        return datetime.now(UTC)

    @property
    def offset(self) -> timedelta:
        """How far business time is ahead of the machine's clock. Zero in production."""
        return timedelta(0)


class VirtualClock(Clock):
    """Business time of scenarios and imports: the machine's clock plus an offset that only grows."""

    virtual = True

    def __init__(self, offset: timedelta = timedelta(0)) -> None:
        self._offset = offset

    def now(self) -> datetime:
        """Return the machine's instant plus the offset, in UTC."""
        return super().now() + self._offset

    @property
    def offset(self) -> timedelta:
        """How far business time is ahead of the machine's clock."""
        return self._offset

    def advance_to(self, instant: datetime) -> timedelta:
        """Let *instant* be now, unless it has passed, and return the new offset."""
        self._offset = max(self._offset, instant - super().now())
        return self._offset
