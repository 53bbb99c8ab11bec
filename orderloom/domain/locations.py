"""What a location is like, beside where it is: when it works, how much, and what sending from it costs."""

from typing import Annotated

from pydantic import Field

from orderloom.domain.calendar import Calendar
from orderloom.domain.model import Frozen

Cost = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]


class ShippingCost(Frozen):
    """What a shipment costs, in minor units of the channel's currency: fixed, and for each unit and each km."""

    fixed: Cost = 0
    per_unit: Cost = 0
    per_km: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)] = 0.0


class Carbon(Frozen):
    """What sending emits: grams of CO2 equivalent for each unit and kilometre."""

    grams_per_unit_km: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)] = 0.0


class LocationTraits(Calendar):
    """What routing policies look at; kept as one document, and everything has a default."""

    priority: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] = 100
    """The lower, the more it is preferred where a policy ranks by priority."""
    capacity: Annotated[int, Field(strict=True, ge=0)] | None = None
    """Fulfillment orders that it takes a day; None: as many as come."""
    shipping: ShippingCost = ShippingCost()
    carbon: Carbon = Carbon()
    pickup: bool = False
    """Whether customers may fetch orders there."""
