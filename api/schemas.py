"""What endpoints take and answer, beside the models of the domain and the read models."""

from typing import Annotated, Literal

from pydantic import Field

from orderloom.contracts.messages import Receipt
from orderloom.domain.exception_status import ExceptionStatus, Name, Reason
from orderloom.domain.exceptions import Decide
from orderloom.domain.model import Frozen, Json, JsonObject
from orderloom.readmodels.intake import IntakeStatus


class Accepted(Frozen):
    """A command was accepted: it stands in the order's journal, and its flows are under way."""

    order: str
    intake: str
    status: Literal["accepted"] = "accepted"
    receipt: Receipt
    links: dict[str, str]


class OrderPlaced(Frozen):
    """An order was accepted: it stands in its journal, and its flows are under way."""

    id: str
    number: str
    status: Literal["accepted"] = "accepted"
    receipt: Receipt
    links: dict[str, str]


class IntakeResource(IntakeStatus):
    """The state of something that was taken in, and where it leads."""

    links: dict[str, str]


class EventTaken(Frozen):
    """An outside event was taken in; it is never lost from here on."""

    intake: str
    order: str
    links: dict[str, str]


class ResolveException(Frozen):
    """What a person decides about a process exception."""

    kind: Annotated[
        Decide,
        Field(
            description="retry: the flow that waits tries the task again, with `input` if given. skip: it goes on "
            "with `output` as what the task returned. goto: it goes on at `task`. compensate: what it has done is "
            "undone, the latest call first, and it ends. resolved: it needs no more attention; a flow that waits ends."
        ),
    ]
    input: Annotated[
        JsonObject | None,
        Field(description="retry: the action's arguments, or the task's input. goto: the input of that task."),
    ] = None
    output: Annotated[Json, Field(description="skip: what the task is taken to have returned.")] = None
    task: Annotated[str | None, Field(description="goto: one of the tasks that the exception names.")] = None
    by: Annotated[Name | None, Field(description="Who decides, for the exception's history.")] = None
    reason: Annotated[Reason | None, Field(description="Why, for the history; nothing of a customer.")] = None


class ExceptionChanged(Frozen):
    """A process exception that belongs to no order was changed."""

    exception: str
    status: ExceptionStatus
    links: dict[str, str]


class RouteOrder(Frozen):
    """No arguments: route what is open now."""


class RejectionsReset(Frozen):
    """How many of a location's rejections count no more."""

    location: str
    forgotten: int


class Page[T](Frozen):
    """A part of a list."""

    items: list[T]
    next: Annotated[str | None, Field(description="Path of what follows; null when there is no more.")] = None


class Health(Frozen):
    """The service answers."""

    status: Literal["ok"] = "ok"


def order_links(order_id: str) -> dict[str, str]:
    """Return the paths of an order's resources."""
    self = f"/v1/orders/{order_id}"
    return {"self": self, "journal": f"{self}/journal"}


def intake_links(intake_id: str, order_id: str) -> dict[str, str]:
    """Return the paths of an intake row's resources."""
    return {"self": f"/v1/intake/{intake_id}", "order": f"/v1/orders/{order_id}"}
