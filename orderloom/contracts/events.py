"""
The events of an order's journal: what each type holds in its data. Ids and small facts, no personal data.

Flows may emit types of their own beside these; of those nothing is known here.
"""

from pydantic import AwareDatetime, BaseModel

from orderloom.contracts.actions import Shortage
from orderloom.contracts.messages import Event
from orderloom.domain.exception_status import Severity
from orderloom.domain.exceptions import Decision
from orderloom.domain.model import Frozen


class NoFacts(Frozen):
    """The type says it all."""


class OrderPlaced(Frozen):
    """What the channel placed."""

    channel: str
    external_id: str


class LinesRequested(Frozen):
    """A command that names lines; they stay in PostgreSQL."""

    lines: int


class ReleaseChanged(Frozen):
    """The order was moved to another release."""

    release: str
    previous: str
    instances: int


class StockShort(Frozen):
    """What was short when all items were to be reserved, at most ten."""

    short: list[Shortage]


class RoutingScheduled(Frozen):
    """When routing is tried next."""

    schedule: int
    due: AwareDatetime


class RoutingAttempted(Frozen):
    """What a routing attempt came to."""

    attempt: int
    outcome: str
    woken: bool = False
    """Something woke it before its time."""
    wave: int | None = None
    """The wave that found it; left out, the order did by itself."""


class RoutingProposed(Frozen):
    """A wave has routed the order: its number as a proposal, which holds what goes out for a while."""

    proposal: int
    wave: int


class StockRestocked(Frozen):
    """Stock came in that the order waits for: its number as a proposal, which holds it for a while."""

    proposal: int


class RoutingRescheduled(Frozen):
    """A planned routing attempt has another date."""

    schedule: int
    due: AwareDatetime


class AbandonmentRequested(Frozen):
    """A person gives a planned routing attempt up."""

    schedule: int


class RoutingAbandoned(Frozen):
    """How often routing was tried in vain."""

    attempts: int


class RoutingWithdrawn(Frozen):
    """The routing schedule that is no longer carried out."""

    schedule: int


class AtLocation(Frozen):
    """A fulfillment order, and the location that has it; a digital one has none."""

    fulfillment_order: str
    location: str | None


class ToDeliver(Frozen):
    """A digital fulfillment order: no location will report of it unless somebody does."""

    fulfillment_order: str


class HandedOn(AtLocation):
    """A fulfillment order whose units another one of the same order has now."""

    successor: str


class ItemsChanged(Frozen):
    """The change order that holds the change."""

    change_order: str


class PaymentMoved(Frozen):
    """Money that a gateway moved, in minor units."""

    payment: str
    amount: int
    intent: str


class PaymentRefused(PaymentMoved):
    """What a gateway was asked for and refused, with its reason."""

    operation: str
    code: str | None = None


class PaymentUpdated(Frozen):
    """What a gateway says of an intent by itself."""

    intent: str
    outcome: str


class InvoiceTotal(Frozen):
    """An invoice and its total with tax, in minor units."""

    invoice: str
    total: int


class CreditMemoTotal(Frozen):
    """A credit memo and its total with tax, in minor units."""

    credit_memo: str
    total: int


class ExceptionOccurred(Frozen):
    """What flows emit so that a process exception is recorded."""

    category: str
    code: str
    detail: str = ""
    severity: Severity = "High"
    priority: Severity = "High"
    attached_to: str | None = None
    """What it is about, such as a fulfillment order: with the code, what tells it from others."""


class ExceptionRaised(Frozen):
    """A process exception that people see from now on."""

    exception: str
    code: str
    category: str


class ExceptionResolved(Frozen):
    """A process exception that is settled."""

    exception: str


class ExceptionChanged(Frozen):
    """What people changed of a process exception; who and why stands in the exception's own history."""

    exception: str
    changed: list[str]
    status: str | None = None


class ExceptionOverdue(Frozen):
    """A process exception whose deadline passed while it was active."""

    exception: str


class FlowCompensated(Frozen):
    """How many calls of a flow were undone, need no undoing any more, and cannot be undone."""

    exception: str | None = None
    undone: int
    skipped: int
    final: int


class Unexpected(Frozen):
    """A report that does not fit what the order knows: its type, and why."""

    type: str
    reason: str
    fulfillment_order: str | None = None
    intent: str | None = None
    outcome: str | None = None


EVENTS: dict[str, type[BaseModel]] = {
    "credit-memo.created": CreditMemoTotal,
    "event.unexpected": Unexpected,
    "exception.change.requested": ExceptionChanged,
    "exception.deadline.passed": ExceptionOverdue,
    "exception.found": ExceptionOccurred,
    "exception.occurred": ExceptionOccurred,
    "exception.raised": ExceptionRaised,
    "exception.resolve.requested": Decision,
    "exception.resolved": ExceptionResolved,
    "flow.compensated": FlowCompensated,
    "fulfillment.accepted": AtLocation,
    "fulfillment.cancel-lines.requested": AtLocation,
    "fulfillment.cancelled": AtLocation,
    "fulfillment.created": AtLocation,
    "fulfillment.digital": ToDeliver,
    "fulfillment.held": AtLocation,
    "fulfillment.hold.requested": AtLocation,
    "fulfillment.merge.requested": AtLocation,
    "fulfillment.merged": HandedOn,
    "fulfillment.move.requested": AtLocation,
    "fulfillment.moved": HandedOn,
    "fulfillment.picked": AtLocation,
    "fulfillment.reduced": AtLocation,
    "fulfillment.rejected": AtLocation,
    "fulfillment.release.requested": AtLocation,
    "fulfillment.released": AtLocation,
    "fulfillment.shipped": AtLocation,
    "fulfillment.split": HandedOn,
    "fulfillment.split.requested": AtLocation,
    "fulfillment.unaccepted": AtLocation,
    "invoice.created": InvoiceTotal,
    "invoice.voided": InvoiceTotal,
    "items.cancelled": ItemsChanged,
    "items.returned": ItemsChanged,
    "order.cancel.requested": LinesRequested,
    "order.cancelled": NoFacts,
    "order.fulfilled": NoFacts,
    "order.placed": OrderPlaced,
    "order.release.changed": ReleaseChanged,
    "order.released": NoFacts,
    "order.return.requested": LinesRequested,
    "order.routing.requested": NoFacts,
    "payment.authorised": PaymentMoved,
    "payment.captured": PaymentMoved,
    "payment.declined": PaymentRefused,
    "payment.refunded": PaymentMoved,
    "payment.reversed": PaymentMoved,
    "payment.updated": PaymentUpdated,
    "routing.abandon.requested": AbandonmentRequested,
    "routing.abandoned": RoutingAbandoned,
    "routing.attempted": RoutingAttempted,
    "routing.proposed": RoutingProposed,
    "routing.rescheduled": RoutingRescheduled,
    "routing.scheduled": RoutingScheduled,
    "routing.withdrawn": RoutingWithdrawn,
    "stock.reserved": NoFacts,
    "stock.restocked": StockRestocked,
    "stock.short": StockShort,
}
"""The data of each type of event."""

ENVELOPE: type[BaseModel] = Event
"""What is around the data."""
