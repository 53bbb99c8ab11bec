"""Reservations that belong to no order: what carts, agents and other systems ask for, and what they are told."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from orderloom.domain.errors import NotFound, OrderloomError
from orderloom.domain.model import Frozen, Identifier

MAX_RECORDS = 100
"""Records in one request."""
MAX_EXPIRY = 14_400
"""Seconds after which a reservation that expires does so at the latest."""

Units = Annotated[int, Field(strict=True, ge=1, le=2_000_000_000)]
"""A whole quantity above zero."""


class ReservationRefused(OrderloomError):
    """There is not enough to reserve all that was asked for, so nothing was reserved.

    The facts name each record with what there is. Ask for less, for ``partial``, or again later with a new key.
    """

    code = "reservation.refused"
    status = 409


class ReservationUnknown(NotFound):
    """There is no reservation with this id.

    Its id is the idempotency key that it was asked for with.
    """

    code = "reservation.unknown"


class ReservationEnded(OrderloomError):
    """Nothing is held by this reservation any more.

    The facts say how it ended; make a new one.
    """

    code = "reservation.ended"
    status = 409


class ReservationForeign(OrderloomError):
    """The reservation was not made for this channel.

    Name a reservation that was made with this channel as its ``channel``.
    """

    code = "reservation.foreign"
    status = 409


@dataclass(frozen=True, order=True)
class Place:
    """A location or a location group."""

    kind: Literal["location", "group"]
    id: str


class Spot(Frozen):
    """A location, or a location group: exactly one of the two is given."""

    location: Identifier | None = None
    group: Identifier | None = None

    @model_validator(mode="after")
    def _one_place(self) -> "Spot":
        if (self.location is None) == (self.group is None):
            raise PydanticCustomError("field.one_place", "needs either location or group")
        return self

    @property
    def place(self) -> Place:
        """Return where."""
        if self.location is not None:
            return Place("location", self.location)
        assert self.group is not None, "one of the two is given"
        return Place("group", self.group)


class Shelf(Spot):
    """A SKU at a location or a location group."""

    sku: Identifier


class ShelfUnits(Shelf):
    """Units of a SKU at a location or group."""

    quantity: Units


class ShelfLevel(Shelf):
    """How many units of a SKU are to be held at a location or group from now on; 0 is none."""

    quantity: Annotated[int, Field(strict=True, ge=0, le=2_000_000_000)]


class CreateReservation(Frozen):
    """Hold stock for a cart, an agent or another system. Its id is the request's idempotency key."""

    owner: Identifier
    """Who holds it, such as the cart's id."""
    reference: Annotated[str, Field(max_length=200)] = ""
    channel: Identifier | None = None
    """
    Whose promise counts at groups: available to order, unless the channel's policy says otherwise. An order of this
    channel may take the reservation over.
    """
    records: Annotated[list[ShelfUnits], Field(min_length=1, max_length=MAX_RECORDS)]
    partial: bool = False
    """Hold what there is; without it everything or nothing is held."""
    expires_in: Annotated[int, Field(strict=True, ge=1, le=MAX_EXPIRY)] | None = None
    """Seconds of business time; left out, it is held until it is fulfilled or released."""


class UpdateReservation(Frozen):
    """Hold other quantities from now on. What is not named stays as it is."""

    records: Annotated[list[ShelfLevel], Field(max_length=MAX_RECORDS)] = []
    partial: bool = False
    """Hold what there is of a record that asks for more than that."""
    all_or_nothing: bool = False
    """Change no record if one of them cannot be changed."""
    expires_in: Annotated[int, Field(strict=True, ge=1, le=MAX_EXPIRY)] | None = None
    """Seconds from now; left out, the expiry stays as it is."""


class TransferRecord(Frozen):
    """Units that are to be held elsewhere. Nothing moves physically."""

    source: Annotated[Spot, Field(alias="from")]
    target: Annotated[Spot, Field(alias="to")]
    sku: Identifier
    quantity: Units
    ignore_availability: bool = False
    """Hold it at the target even if that has less."""
    all_or_nothing: Identifier | None = None
    """Records with the same id here are done together or not at all."""


class TransferReservation(Frozen):
    """Move what is held between groups and locations."""

    records: Annotated[list[TransferRecord], Field(min_length=1, max_length=MAX_RECORDS)]


class FulfillRecord(Frozen):
    """Units that have left a location."""

    location: Identifier
    sku: Identifier
    quantity: Units


class FulfillReservation(Frozen):
    """Say what of it has left locations: it is neither held nor on hand any more."""

    records: Annotated[list[FulfillRecord], Field(min_length=1, max_length=MAX_RECORDS)]


class ReleaseReservation(Frozen):
    """Hold no longer what is named; with no records, all of it."""

    records: Annotated[list[ShelfUnits], Field(max_length=MAX_RECORDS)] = []


class RecordResult(Frozen):
    """What became of one record, in the order of the request."""

    status: Literal["done", "partial", "refused"]
    quantity: int
    """Units that were reserved, moved, fulfilled or released by it; of an update, those that are held now."""
    code: str | None = None
    """Why not: ``stock.short``, ``stock.unknown``, ``reservation.not_held`` or ``record.together``."""
    available: int | None = None
    """What there was, when it was too little."""
