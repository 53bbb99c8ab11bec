"""Routing schedules: what people may say about one."""

from typing import Annotated

from pydantic import AwareDatetime, Field

from orderloom.domain.errors import OrderloomError
from orderloom.domain.model import Frozen


class RoutingScheduleFrozen(OrderloomError):
    """The routing schedule is over, and its date stays what it was.

    Only a planned attempt can be moved. Ask for a new one: POST /v1/orders/{order}/route.
    """

    code = "routing.schedule_frozen"
    status = 409


class RoutingNotAwaited(OrderloomError):
    """No flow of the order waits for the routing schedule in a way that lets it be abandoned.

    A search may be under way: try again in a moment. A flow that does not listen to `routing.abandon.requested` cannot
    be told: move the order to a release whose flow does, or cancel what waits.
    """

    code = "routing.not_awaited"
    status = 409


class AbandonSchedule(Frozen):
    """Give a planned routing attempt up."""

    schedule: Annotated[int, Field(strict=True, ge=1)]


class RescheduleRouting(Frozen):
    """Another date for a planned routing attempt."""

    schedule: Annotated[int, Field(strict=True, ge=1)]
    scheduled_at: AwareDatetime
    """A date in the past is now."""
