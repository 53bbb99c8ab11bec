"""What an order's workflow carries from one run to the next, and nothing else: the rest is in PostgreSQL."""

from pydantic import AwareDatetime, Field

from orderloom.contracts.messages import Event, FlowFinished, Receipt
from orderloom.contracts.moving import instance_id
from orderloom.domain.model import JsonObject, Message


class Start(Message):
    """An instance of a flow that is to be started."""

    flow: str
    """Hash of the flow."""
    event: Event
    depth: int = 1
    """How many flows stand above it: an event that a flow caused starts flows one deeper."""
    moves: int = 0
    """How often it was moved to another release."""
    gathered: list[Event] = Field(default_factory=list[Event])
    """With ``schedule.on.all``: all events that start it, in the order of the flow's filters."""

    @property
    def instance(self) -> str:
        """Return the instance's id."""
        return instance_id(self.event.id, self.flow, self.moves)


class CarriedInstance(Message):
    """A live instance: how it was started, where it stands, and which events it has taken."""

    start: Start
    state: JsonObject
    """``flows_dsl.frames.InstanceState``, without what is as at the beginning."""
    consumed: list[int] = []
    """Numbers of the events that its listens took."""


class Carried(Message):
    """The state of an order at a quiet point."""

    schema_version: int = 1
    order: JsonObject
    """The order's header."""
    checked: int
    """Up to this number of the journal no event that starts a flow can have been missed."""
    offset: float
    """Seconds that business time is ahead of workflow time."""
    flows: dict[str, str]
    """Bodies of known flows."""
    instances: list[CarriedInstance]
    queued: list[Start]
    """Starts that wait: for another instance of their group, for other events, or for this run."""
    finished: list[FlowFinished]
    """Instances that ended and were not reported yet."""
    ended: list[str]
    """Ids of instances that ended lately: an event delivered twice does not start them again."""
    receipts: dict[str, Receipt]
    """Answers to the latest deliveries, by intake id."""
    events: list[Event]
    """The inbox."""
    asked: list[str]
    """Intents that a gateway may have seen and whose outcome is unknown."""
    parked: tuple[list[str], AwareDatetime | None] | None
    """What PostgreSQL was told last: wanted types and the next deadline."""
    moved_at: int = 0
    """Number of the event at which the order came to its release: what older events started is known."""
    settled_at: AwareDatetime | None
    """Since when nothing is open; the service window runs from there."""
