"""The errors that every action may raise, whatever its contract names besides."""

from orderloom.domain.errors import InvalidInput, OrderloomError


class ActivityTimedOut(OrderloomError):
    """The activity did not answer in time.

    Look at the worker's log and at the database's load; the operator's *retry* asks again.
    """

    code = "activity.timed_out"
    status = 504


class ActivityFailed(OrderloomError):
    """The activity failed in a way that it does not name.

    Look at the worker's log for the cause; the operator's *retry* asks again.
    """

    code = "activity.failed"


OF_ANY_ACTION: tuple[type[OrderloomError], ...] = (ActivityFailed, ActivityTimedOut, InvalidInput)
"""What any action may fail with."""
