"""The steps of a scenario: what people, channels, locations, the gateway and the clock do."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from orderloom.domain.model import Json, JsonObject
from orderloom.scenarios.base import Duration, Name, Part, seconds
from orderloom.scenarios.expectation import Balances, Expectation
from orderloom.scenarios.stock_steps import Availability, Fulfill, Release, Reserve, Transfer

Units = dict[Name, Annotated[int, Field(strict=True)]]
"""Line id to quantity."""


class Place(Part):
    """Place an order of ``orders``. A bare name is enough."""

    order: Name
    as_: Annotated[Name | None, Field(alias="as")] = None
    """The name that later steps use, when one order is placed several times."""
    count: Annotated[int, Field(ge=1, le=5000)] = 1
    """Place it so often at once; the orders are named ``NAME-1``, ``NAME-2`` and so on."""
    refused: str | None = None
    """The code of the error that it must be refused with."""

    @model_validator(mode="before")
    @classmethod
    def _bare_name(cls, value: Any) -> Any:
        return {"order": value} if isinstance(value, str) else value


class Change(Part):
    """Cancel or return items."""

    order: Name
    items: Units
    reduce_delivery: bool = False
    """Give back the delivery charge in proportion (reference 6f)."""
    allocated: Literal["give_back", "refuse"] = "give_back"
    """For a cancellation: what to do with units that are in a fulfillment order."""
    reason: str = "unknown"
    refused: str | None = None
    """The code of the error that it must be refused with."""
    preview: Balances | None = None
    """What the preview must say before; it must have written nothing, and the change must then say the same."""
    preview_only: bool = False
    """Ask for the preview and change nothing."""


class Report(Part):
    """A location reports about a fulfillment order."""

    order: Name
    fulfillment: Annotated[int, Field(ge=1)] = 1
    """Number of the fulfillment order within the order."""
    type: Literal["accepted", "rejected", "picked", "shipped"]
    lines: Units = {}
    """Left out: all that it still holds. Picked or shipped with lines: the rest is missing, and counts as rejected."""
    reason: str | None = None
    twice: bool = False
    """Deliver the very same event a second time."""


class Work(Part):
    """Have something done with a fulfillment order: exactly one of `hold` to `cancel`."""

    order: Name
    fulfillment: Annotated[int, Field(ge=1)] = 1
    """Number of the fulfillment order within the order."""
    hold: str | None = None
    """The reason why nobody is to work on it."""
    release: Literal[True] | None = None
    """Let it be worked on again."""
    move: Name | None = None
    """The location that is to send it; it becomes a new fulfillment order."""
    split: Units | None = None
    """What goes into a new fulfillment order at the same location."""
    merge: Annotated[int | None, Field(ge=1)] = None
    """Number of the fulfillment order that it takes in."""
    cancel: Units | None = None
    """What it is not to send: open in the order again."""
    refused: str | None = None
    """The code of the error that it must be refused with."""

    @model_validator(mode="after")
    def _exactly_one(self) -> "Work":
        if len(self.model_fields_set - {"order", "fulfillment", "refused"}) != 1:
            raise PydanticCustomError("one_work", "name exactly one of hold, release, move, split, merge, cancel")
        return self


class Route(Part):
    """Ask for a routing attempt now. A bare name is enough."""

    order: Name
    refused: str | None = None
    """Code of the problem that it must be refused with."""

    @model_validator(mode="before")
    @classmethod
    def _bare_name(cls, value: Any) -> Any:
        return {"order": value} if isinstance(value, str) else value


class Reschedule(Part):
    """Give a planned routing attempt another date."""

    order: Name
    schedule: Annotated[int, Field(ge=1)] = 1
    """Number of the routing schedule within the order."""
    after: Duration
    """Business time since the scenario's start."""
    refused: str | None = None
    """Code of the problem that it must be refused with."""


class Abandon(Part):
    """Give a planned routing attempt up."""

    order: Name
    schedule: Annotated[int, Field(ge=1)] = 1
    """Number of the routing schedule within the order."""
    refused: str | None = None
    """Code of the problem that it must be refused with."""


class Resolve(Part):
    """Decide about a process exception."""

    order: Name
    exception: Annotated[int, Field(ge=1)] = 1
    """Number of the process exception within the order."""
    kind: Literal["resolved", "retry", "skip", "goto", "compensate"] = "resolved"
    input: JsonObject | None = None
    """With retry: the action's arguments, or the task's input. With goto: the input of that task."""
    output: Json = None
    """With skip: what the task is taken to have returned."""
    task: str | None = None
    """With goto: the task to go on at."""
    refused: str | None = None
    """Code of the problem that it must be refused with."""


class Attend(Part):
    """Change who sees to a process exception, and its status or urgency."""

    order: Name
    exception: Annotated[int, Field(ge=1)] = 1
    """Number of the process exception within the order."""
    status: Literal["triaged", "paused", "ignored", "voided"] | None = None
    owner: str | None = None
    """Null takes it from whoever has it."""
    priority: Literal["High", "Low"] | None = None
    reason: str = ""
    refused: str | None = None
    """Code of the problem that it must be refused with."""


class Gateway(Part):
    """Make the sandbox gateway misbehave from now on."""

    fault: Literal["decline", "timeout-after", "timeout-before", "duplicate-webhook", "early-webhook"]
    operation: Literal["authorize", "capture", "refund", "reverse"] = "capture"
    times: Annotated[int, Field(ge=1)] = 1
    """How many operations it strikes."""


class Step(Part):
    """One step: exactly one of these keys."""

    place: Place | None = None
    cancel: Change | None = None
    return_: Annotated[Change | None, Field(alias="return")] = None
    report: Report | None = None
    work: Work | None = None
    route: Route | None = None
    reschedule: Reschedule | None = None
    abandon: Abandon | None = None
    resolve: Resolve | None = None
    attend: Attend | None = None
    restock: dict[Name, Units] | None = None
    """Location to SKU to what is added to its stock (negative: taken away)."""
    reserve: Reserve | None = None
    transfer: Transfer | None = None
    fulfill: Fulfill | None = None
    release: Release | None = None
    availability: Availability | None = None
    gateway: Gateway | None = None
    advance: Duration | None = None
    """Let business time pass: every deadline on the way is met in its order."""
    expect: Expectation | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "Step":
        if len(self.model_fields_set) != 1:
            raise PydanticCustomError("one_step", "a step has exactly one key; write each step as its own '- key:'")
        return self

    @property
    def kind(self) -> str:
        """Return the key of the step."""
        return next(iter(self.model_fields_set)).removesuffix("_")

    @property
    def stock_step(self) -> Reserve | Transfer | Fulfill | Release | Availability | None:
        """Return the step if it is about stock alone."""
        return self.reserve or self.transfer or self.fulfill or self.release or self.availability

    @property
    def advance_seconds(self) -> float | None:
        """Return how far ``advance`` goes, in seconds."""
        return None if self.advance is None else seconds(self.advance)
