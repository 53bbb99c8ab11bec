"""Steps about stock that belong to no order: reserving, moving, shipping and giving back, and what is available."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from orderloom.scenarios.base import Duration, Name, Part

Units = dict[Name, Annotated[int, Field(strict=True)]]
"""SKU to quantity."""

Held = dict[Name, Units]
"""Location or group to SKU to quantity."""


class Reserve(Part):
    """Hold stock for a cart, an agent or another system."""

    as_: Annotated[Name, Field(alias="as")]
    """The name that later steps use; it is the reservation's id."""
    at: Held
    """Location or group to SKU to quantity."""
    owner: Name = "agent"
    for_channel: bool = False
    """Made for the channel, whose orders may take it over."""
    partial: bool = False
    expires: Duration | None = None
    twice: bool = False
    """Ask a second time with the same key: the answer must be the same."""
    refused: str | None = None
    """The code of the error that it must be refused with."""
    granted: Held | None = None
    """What must be held; left out, all that was asked for."""


class Move(Part):
    """One record of a transfer."""

    from_: Annotated[Name, Field(alias="from")]
    to: Name
    sku: Name
    quantity: Annotated[int, Field(strict=True, ge=1)]
    ignore_availability: bool = False
    together: Name | None = None
    """Records with the same name here are done together or not at all."""


class Transfer(Part):
    """Hold reserved units elsewhere."""

    reservation: Name
    records: list[Move]
    twice: bool = False
    results: list[str] | None = None
    """``done``, or the code of why not, for each record; left out, all are done."""
    refused: str | None = None


class Fulfill(Part):
    """Say what of a reservation has left its locations."""

    reservation: Name
    at: Held
    twice: bool = False
    results: list[str] | None = None
    """``done``, or the code of why not, by place and SKU in the order written; left out, all are done."""
    refused: str | None = None


class Release(Part):
    """Hold no longer what is named, or all of it. A bare name is enough for all."""

    reservation: Name
    at: Held = {}
    twice: bool = False
    results: list[str] | None = None
    """``done``, or the code of why not, by place and SKU in the order written; left out, all are done."""
    refused: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _bare_name(cls, value: Any) -> Any:
        return {"reservation": value} if isinstance(value, str) else value


class FutureOutcome(Part):
    """Stock that is on its way."""

    quantity: int | None = None
    after: Duration | None = None
    """When it is expected, in business time since the scenario's start."""


class SellAheadOutcome(Part):
    """What the channel may sell beyond what is available."""

    backorder: bool | None = None
    backordered: int | None = None
    left: int | None = None
    until: Duration | None = None
    """When backorders end, in business time since the scenario's start."""
    release_at: Duration | None = None
    """Until when a preorder is held."""


class ShelfOutcome(Part):
    """What is available of one SKU at one place."""

    on_hand: int | None = None
    reserved: int | None = None
    safety: int | None = None
    atf: int | None = None
    ato: int | None = None
    futures: list[FutureOutcome] | None = None
    sell_ahead: SellAheadOutcome | None = None


class Availability(Part):
    """Ask what is available: at locations, at groups, or of SKUs alone at the locations that are in no group."""

    skus: list[Name]
    locations: list[Name] | None = None
    groups: list[Name] | None = None
    answer: dict[Name, dict[Name, ShelfOutcome]]
    """Place to SKU."""


class ReservationOutcome(Part):
    """How a reservation of its own stands now."""

    status: str | None = None
    held: Held | None = None
    """Location or group to SKU to what is held, without zeros."""
    expires: Duration | None = None
    """When, in business time since the scenario's start."""


def places_of(step: Reserve | Transfer | Fulfill | Release | Availability) -> list[str]:
    """Return the locations and groups that a step names."""
    match step:
        case Transfer():
            return [place for each in step.records for place in (each.from_, each.to)]
        case Availability():
            return [*(step.locations or ()), *(step.groups or ()), *step.answer]
        case _:
            return list(step.at)
