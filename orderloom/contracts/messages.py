"""Messages of the order workflow. They hold ids and small facts: no personal data, no lines of an order."""

from operator import not_
from typing import Annotated

from pydantic import AwareDatetime, Field

from orderloom.contracts.outside import GatewayOutcome, GatewayRequest, OutsideAnswer
from orderloom.contracts.searching import SearchRoutes
from orderloom.domain.errors import Problem
from orderloom.domain.model import Json, JsonObject, Message, TrustedObject


class ReleasePin(Message):
    """The flows in force for an order: which event type starts which flows. Never changes by itself."""

    release: str
    """Hash of the release."""
    subscriptions: dict[str, list[str]]
    """Event type to the hashes of the flows it starts, in the order of the release."""
    interpreter: int = 1
    """Version of the interpreter's semantics."""


class Delivery(Message):
    """An accepted ``intake`` row, brought to the order's workflow. At most 2 KB."""

    intake_id: str
    type: str
    """Event type, such as ``order.placed`` or ``fulfillment.shipped``."""
    business_at: AwareDatetime | None = None
    """Business time of the item. Only imports and scenarios set it: the order's clock jumps there."""


class OrderInput(Message):
    """The argument of the order workflow."""

    order_id: str
    pin: ReleasePin
    first: Delivery | None = None
    """What the workflow is started for. It comes as an update too, which Temporal may lose before a worker has it."""
    service_window: float = 90 * 86_400.0
    """Seconds that a finished order stays open for commands."""
    carried: JsonObject | None = None
    """State carried over continue-as-new (``workflows.state.Carried``); None at first and at revival."""
    revived: bool = False
    """The first local activity rebuilds the state from PostgreSQL."""
    virtual_time: bool = False
    """Business time may be set ahead: ``advance`` and ``Delivery.business_at`` count. Scenarios and imports only."""
    max_events: int | None = None
    """Tests only: continue as new above so many events."""


class Receipt(Message):
    """What became of a delivery."""

    status: str
    """``accepted``, or ``refused`` by a precondition."""
    seq: int | None = None
    """Its number in the order's journal."""
    problem: Problem | None = None
    """Why it was refused."""


class Event(Message):
    """A CloudEvent of the order's journal, as flows see it. ``data`` holds ids and small facts, at most 1 KB."""

    seq: int
    id: str
    source: str
    type: str
    time: AwareDatetime
    data: JsonObject


class FlowFinished(Message):
    """A flow instance has ended; the journal remembers it, so that a revival does not start it again."""

    instance: str
    outcome: str


class Standpoint(Message):
    """Where an order's flows stand when nothing of them is under way but the one call that is asked for."""

    asking: TrustedObject | None = None
    """The instance in the middle of its call (``contracts.moving.Whereabouts``); None: none is live."""


class Context(Message):
    """What every local activity of an order is given beside its own input."""

    order_id: str
    now: AwareDatetime
    """Business time: workflow time plus the order's offset."""
    known_flows: list[str]
    """Hashes of the flows whose body this run's history already holds."""
    pin: ReleasePin
    finished: list[FlowFinished] = []
    """Instances that ended since the last local activity; marking one twice changes nothing."""
    checked: int | None = None
    """Number of the journal up to which the run has missed nothing that it wants; None: nobody asks."""
    wanted: list[str] = []
    """Event types that are waited for (those that start flows are known from the pin)."""
    seen: TrustedObject = {}
    """The order's header as the flows have seen it last: of the next one only what differs is told."""
    stands: Standpoint | None = None
    """Given, the transaction may go on with what the flows ask for next (``activities.ahead``)."""


class Ahead(Message):
    """A call that flows come to next, done in the same activity: the workflow finds it done when it comes there."""

    activity: str
    key: str
    done: "ActionDone"
    error: Annotated[Problem | None, Field(exclude_if=not_)] = None
    """What it ended in although outcomes of money were committed."""


class Applied(Message):
    """What every local activity of an order returns beside its own output."""

    order: TrustedObject
    """
    The order's header for expressions (``$order``), at most 2 KB: those of its fields that differ from what was seen
    before, in ``Context.seen`` or as of the call before it in the same transaction.
    """
    events: list[Event] = []
    """What others have journaled and flows listen for, if ``gapless``; then what this transaction has; in sequence."""
    flows: dict[str, str] = {}
    """Bodies of flows that these events start and the run does not know: hash to base85 of deflated JSON."""
    gapless: Annotated[bool, Field(exclude_if=not_)] = False
    """Whatever is wanted of what others have journaled since ``Context.checked`` is among the events."""
    ahead: list[Ahead] = Field(default_factory=list[Ahead], exclude_if=not_)
    """What was done beyond what was asked for, in the order in which the flows come to it."""
    ended: list[FlowFinished] = Field(default_factory=list[FlowFinished], exclude_if=not_)
    """Instances that came to their end by it, and are known to have."""

    def checked(self, before: int) -> int:
        """Return up to which number of the journal nothing wanted is missed, if it was *before* up to now."""
        known = self.events and (self.gapless or self.events[0].seq == before + 1)
        return self.events[-1].seq if known else before


class RecordDelivery(Message):
    """Journal one delivery and apply its facts."""

    context: Context
    delivery: Delivery


class Recorded(Message):
    """The receipt of a delivery and what it changed. ``applied`` is None when it was refused."""

    receipt: Receipt
    applied: Applied | None = None


class RunAction(Message):
    """Run one phase of a core action as one transaction, at most once per key."""

    context: Context
    key: str
    """Idempotency key (design, section 5): never holds a counter of inbox order."""
    input: TrustedObject
    cause: str
    """Flow name and task pointer, for the journal and for people."""


class ActionDone(Message):
    """The output of an action, or what an outside action still has to ask of the party outside."""

    output: TrustedObject = {}
    applied: Applied
    requests: list[GatewayRequest] = []
    """After ``prepare``: intents to perform. After ``settle``: those still unknown, to be asked about again."""
    search: Annotated[SearchRoutes | None, Field(exclude_if=not_)] = None
    """The action has only asked: this must be searched for, and the action run once more."""


class SettleAction(Message):
    """Record the outcomes of an outside action's requests and finish it."""

    action: RunAction
    outcomes: list[GatewayOutcome]


class RecordAnswer(Message):
    """Keep what a call to the outside was answered, or return what was kept: None only asks."""

    call: str
    """``http`` or ``openapi``."""
    action: RunAction
    answer: OutsideAnswer | None


class CompensationPlanned(Message):
    """One call that the instance has done, and what undoes it, or why nothing does."""

    task: str
    action: str
    undone_by: str | None = None
    reason: str | None = None


class RaiseFault(Message):
    """Record an error that no flow caught, at most once per key; the instance waits there for an operator."""

    context: Context
    key: str
    cause: str
    """Flow name and task pointer, for the journal."""
    category: str
    error: Problem
    flow: str
    """Name and version of the flow that the task stands in."""
    flow_hash: str
    instance: str
    """The instance that waits; the flow may run inside a task of its."""
    attached_to: str
    """The instance, and the path of the task within it, with loop indexes."""
    task: str
    """JSON pointer of the task; empty when it is an expression of the flow itself."""
    input: Json = None
    attempts: int = 1
    action: str | None = None
    """The action that failed, with its major."""
    call: str | None = None
    """The key of the call or event that failed."""
    finished: bool = False
    """The task's work was done; it failed in what its output becomes."""
    within: list[str] = []
    """Names of the tasks that can be gone to."""
    undoing: bool = False
    """It is a compensation that failed."""
    compensations: list[CompensationPlanned] = []
    """What undoing the instance would do, in its order."""


class FindFault(Message):
    """Ask whether a call is known to have failed, and an operator to have been asked about it."""

    context: Context
    call: str
    """Its key."""


class FaultFound(Message):
    """The error that the call failed with, or None."""

    error: Problem | None = None


class Park(Message):
    """Tell PostgreSQL what a quiet order waits for, and learn of events recorded since."""

    context: Context
    wanted: list[str]
    """Event types that a live ``listen`` names (subscriptions are known from the pin)."""
    next_due_at: AwareDatetime | None
    """The order's earliest deadline, in business time."""
    after: int
    """Return events of the wanted types with a higher sequence number."""
    closing: bool = False
    """The workflow is about to complete."""
    left: list[str] = []
    """Process exceptions that nobody waits at any more though nothing was decided."""


class Parked(Message):
    """Events that were recorded while nobody was seen to want them."""

    events: list[Event] = []
    pending: bool = False
    """An undelivered intake row of a wanted type exists: do not complete yet."""


class Rebuild(Message):
    """Read back what a revived order needs to go on."""

    context: Context


class Rebuilt(Message):
    """State of a revived order: its header, its last sequence number, and the events whose flows must run."""

    applied: Applied
    seq: int
    unfinished: list[Event] = []
    """Events whose flow instances had not finished, in sequence: their flows are started again; every action
    they had done answers from its idempotency row."""
    moved: list[JsonObject] = []
    """Instances that came from another release (``contracts.moving.Whereabouts``): they go on where they came in."""
    moved_at: int = 0
    """Number of the event at which the order came to its release; 0 when it was placed on it."""
