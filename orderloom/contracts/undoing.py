"""The contracts of the core actions that undo others. Flows may call them like any; *compensate* does."""

from typing import Literal

from orderloom.contracts.contract import ActionContract, Runs
from orderloom.domain.errors import NotFound
from orderloom.domain.fulfillment import FulfillmentUnderWay
from orderloom.domain.invoicing import InvoiceTaken
from orderloom.domain.model import Frozen
from orderloom.domain.order import OrderMoved
from orderloom.domain.payments import PaymentDeclined


class Count(Frozen):
    """How many."""

    count: int


class Amount(Frozen):
    """Minor units of the order's currency."""

    amount: int


class ForSchedule(Frozen):
    """One routing schedule of the order."""

    schedule: int


class ForAttempt(Frozen):
    """One routing attempt of the order."""

    attempt: int


class ForInvoice(Frozen):
    """One invoice of the order."""

    invoice: str


class GiveBackPayment(Frozen):
    """The call whose money is given back, by its idempotency key, and the invoice that it was for, if any."""

    call: str
    invoice: str | None = None


withdraw_routing = ActionContract(
    name="withdraw-routing",
    input=ForSchedule,
    output=Count,
    changes="Abandons a routing schedule that is still planned.",
    final="A schedule that was withdrawn stays so; schedule-routing plans another.",
)
cancel_fulfillment_orders = ActionContract(
    name="cancel-fulfillment-orders",
    input=ForAttempt,
    output=Count,
    changes="Cancels the fulfillment orders of a routing attempt and makes their units wait for a location again.",
    errors=(FulfillmentUnderWay,),
    final="A cancelled fulfillment order stays cancelled; its units are routed anew.",
)
void_invoice = ActionContract(
    name="void-invoice",
    input=ForInvoice,
    output=Amount,
    changes="Voids an invoice that nothing was paid or credited for; its amount is owed without an invoice again.",
    errors=(NotFound, InvoiceTaken),
    final="A voided invoice stays void; the fulfillment order can be invoiced again.",
)
give_back_payment = ActionContract(
    name="give-back-payment",
    input=GiveBackPayment,
    output=Amount,
    changes="Reverses what a call authorised, takes what it captured off its invoice, and refunds it.",
    errors=(OrderMoved, PaymentDeclined),
    final="The money is with the customer again.",
    runs=Runs.OUTSIDE,
)


class CallUndone(Frozen):
    """What became of undoing one call."""

    task: str
    """JSON pointer of the task that called."""
    action: str
    outcome: Literal["undone", "skipped", "final"]
    """``skipped``: an operator left it as it is. ``final``: nothing undoes it."""
    by: str | None = None
    """The action that undid it."""
    reason: str | None = None
    """Why nothing undoes it."""


class Compensated(Frozen):
    """The process exception at which it was asked for, and the calls in the order in which they were undone."""

    exception: str | None = None
    calls: tuple[CallUndone, ...] = ()


record_compensation = ActionContract(
    name="record-compensation",
    input=Compensated,
    output=Count,
    changes="Writes down what became of undoing an instance of a flow. Not for flows to call.",
)
