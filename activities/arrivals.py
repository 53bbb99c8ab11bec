"""Something that was taken in, on its way into an order's journal."""

from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

from activities.unit import Unit
from orderloom.domain.invalid import invalid
from orderloom.domain.model import JsonObject

UNEXPECTED = "event.unexpected"
"""The type under which a report is journaled that does not fit what the order knows."""


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """An intake row whose body is open."""

    id: str
    kind: str
    type: str
    source: str
    key_id: str
    body: JsonObject

    def enter(self, unit: Unit, data: JsonObject) -> int:
        """Journal it, and return its number."""
        return unit.journal(self.type, data, id=self.id, source=self.source, cause=self.id)

    def enter_unexpected(self, unit: Unit, reason: str, **facts: str) -> int:
        """Journal that it came and why it changes nothing."""
        data: JsonObject = {"type": self.type, "reason": reason, **facts}
        return unit.journal(UNEXPECTED, data, id=self.id, source=self.source, cause=self.id)


def body_as[M: BaseModel](arrival: Arrival, model: type[M], *, without: tuple[str, ...] = ()) -> M:
    """
    Return the body of *arrival*, less the fields *without*, as *model*.

    Raises:
        InvalidInput: it is not; fields are named, values are not.
    """
    body = {name: value for name, value in arrival.body.items() if name not in without}
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise invalid(error, arrival.type) from None
