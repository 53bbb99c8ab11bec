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


class RescheduleRouting(Frozen):
    """Another date for a planned routing attempt."""

    schedule: Annotated[int, Field(strict=True, ge=1)]
    scheduled_at: AwareDatetime
    """A date in the past is now."""
