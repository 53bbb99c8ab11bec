"""
The contracts of the core actions: what flows may call, with what, and what comes back.

Behaviour within a major version does not change. Inputs are selectors and ids; no line of an order, no personal data.
The functions that keep these contracts stand in ``activities/``.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from orderloom.contracts.catalog import ActionCatalog
from orderloom.contracts.contract import ActionContract, Runs
from orderloom.contracts.delivering import ForFulfillmentOrder, fulfill_digital
from orderloom.contracts.undoing import (
    Amount,
    Count,
    cancel_fulfillment_orders,
    give_back_payment,
    void_invoice,
    withdraw_routing,
)
from orderloom.domain.capacity import CapacityTaken
from orderloom.domain.changes import ChangeRefused, QuantityUnavailable
from orderloom.domain.errors import NotFound
from orderloom.domain.inventory import StockMoved
from orderloom.domain.invoicing import AlreadyInvoiced
from orderloom.domain.model import Frozen
from orderloom.domain.order import OrderMoved
from orderloom.domain.payments import FundsInsufficient, PaymentDeclined, RefundExceedsPaid

Schedule = Annotated[int, Field(ge=1, description="Number of the routing schedule within the order.")]


class Nothing(Frozen):
    """No arguments."""


class Shortage(Frozen):
    """A SKU that is short, and by how much."""

    sku: str
    quantity: int


class Reserved(Frozen):
    """Whether all open items are now reserved; reservations are all or nothing."""

    outcome: Literal["reserved", "short", "nothing_to_reserve"]
    short: list[Shortage] = []
    """At most ten."""


class Released(Frozen):
    """How many units went back to stock."""

    units: int


class ScheduleRouting(Frozen):
    """Why the order is to be routed, such as ``placed``, ``no_stock`` or ``rejected``."""

    reason: str = "placed"


class RoutingScheduled(Frozen):
    """A planned routing attempt. The first is due at once, later ones by the channel's backoff."""

    schedule: int
    due: AwareDatetime
    delay: str
    """Time until then as an ISO 8601 duration, for ``wait``; ``PT0S`` when it is due."""


class FindRoutes(Frozen):
    """The routing schedule that this attempt carries out."""

    schedule: Schedule


class RouteFound(Frozen):
    """The answer of a routing attempt; its plan and reasons are stored with the attempt."""

    outcome: Literal[
        "ROUTED",
        "PARTIALLY_ROUTED",
        "NO_STOCK",
        "SPLIT_LIMIT",
        "NO_ELIGIBLE_LOCATION",
        "NOT_PROVEN",
        "NOTHING_TO_ROUTE",
    ]
    attempt: int
    locations: list[str] = []
    """At most ten, in the order of the plan."""
    splits: int = 0
    retry: bool = False
    """Something still waits and the policy allows another attempt, or preorders wait for their release."""
    exhausted: bool = False
    """The policy allows no other attempt before preorders of the order are released: ``retry`` is for those."""


class CreateFulfillmentOrders(Frozen):
    """The routing attempt whose plan is carried out."""

    attempt: int


class FulfillmentOrdersCreated(Frozen):
    """Ids of the new fulfillment orders, at most ten, and how many there are."""

    fulfillment_orders: list[str]
    count: int


class AbandonRouting(Frozen):
    """The schedule whose attempt was the last."""

    schedule: Schedule


class AuthorizePayment(Frozen):
    """Authorise what the order's payments still lack."""


class InvoiceCreated(Frozen):
    """A new invoice and its total with tax, in minor units."""

    invoice: str
    total: int


class EnsureFunds(Frozen):
    """The invoice to cover."""

    invoice: str


class FundsEnsured(Frozen):
    """Minor units applied to the invoice, and captured anew for it."""

    applied: int
    captured: int


class EnsureRefunds(Frozen):
    """Refund a credit memo, or what is captured beyond what the order owes (excess), or both."""

    credit_memo: str | None = None
    excess: bool = False


class ForRequest(Frozen):
    """The id of the journaled event that holds the command; its items stay in PostgreSQL."""

    request: str


class ItemsChanged(Frozen):
    """A change order and the money it moves, in minor units, tax included."""

    change_order: str
    total: int
    """What the order's grand total went down by."""
    excess: int
    """Captured beyond what is owed now."""


class ForChangeOrder(Frozen):
    """One change order of the order."""

    change_order: str


class CreditMemoCreated(Frozen):
    """A new credit memo and its total with tax, in minor units."""

    credit_memo: str
    total: int


class RaiseException(Frozen):
    """What happened, for a person to see and act on. No personal data."""

    category: Literal["Fulfillment", "Invoicing", "Order Activation", "Order Approval", "Payment", "Return"]
    code: str
    detail: str = ""
    severity: Literal["High", "Low"] = "High"
    priority: Literal["High", "Low"] = "High"
    attached_to: str | None = None


class ExceptionRaised(Frozen):
    """The process exception. Asked twice for the same code and attachment while it is open: the same one."""

    exception: str


class ResolveExceptions(Frozen):
    """Resolve the order's open exceptions with this code."""

    code: str


create_reservation = ActionContract(
    name="create-reservation",
    input=Nothing,
    output=Reserved,
    changes="Reserves all open items at the channel's location group, or none.",
    compensation="release-reservation",
)
release_reservation = ActionContract(
    name="release-reservation",
    input=Nothing,
    output=Released,
    changes="Gives back what is reserved for items that are not allocated.",
    final="What was given back may be sold to others; create-reservation asks for it again.",
)
schedule_routing = ActionContract(
    name="schedule-routing",
    input=ScheduleRouting,
    output=RoutingScheduled,
    changes="Adds a routing schedule, unless one is planned already.",
    compensation="withdraw-routing",
    undo_with={"schedule": "output.schedule"},
)
find_routes = ActionContract(
    name="find-routes",
    input=FindRoutes,
    output=RouteFound,
    changes="Completes the schedule and stores a routing attempt with its plan and reasons; reserves nothing.",
    final="It only looks: nothing is reserved by it.",
)
create_fulfillment_orders = ActionContract(
    name="create-fulfillment-orders",
    input=CreateFulfillmentOrders,
    output=FulfillmentOrdersCreated,
    changes="Transfers the reservation to the plan's locations and creates a fulfillment order at each.",
    errors=(StockMoved, CapacityTaken, OrderMoved),
    compensation="cancel-fulfillment-orders",
    undo_with={"attempt": "input.attempt"},
)
abandon_routing = ActionContract(
    name="abandon-routing",
    input=AbandonRouting,
    output=Released,
    changes="Marks the schedule abandoned; releases the reservation if the channel's policy says so.",
    final="Routing stays abandoned; it can be asked for again at any time.",
)
authorize_payment = ActionContract(
    name="authorize-payment",
    input=AuthorizePayment,
    output=Amount,
    changes="Authorises the order's payments that the channel has not authorised.",
    errors=(PaymentDeclined,),
    runs=Runs.OUTSIDE,
    compensation="give-back-payment",
    undo_with={"call": "call"},
)
capture_payment = ActionContract(
    name="capture-payment",
    input=Nothing,
    output=Amount,
    changes="Captures the order's grand total without an invoice, as far as it is not captured yet.",
    errors=(PaymentDeclined, FundsInsufficient),
    runs=Runs.OUTSIDE,
    compensation="give-back-payment",
    undo_with={"call": "call"},
)
create_invoice = ActionContract(
    name="create-invoice",
    input=ForFulfillmentOrder,
    output=InvoiceCreated,
    changes="Invoices a fulfillment order's items at their share of the order's amounts.",
    errors=(NotFound, AlreadyInvoiced),
    compensation="void-invoice",
    undo_with={"invoice": "output.invoice"},
)
ensure_funds = ActionContract(
    name="ensure-funds",
    input=EnsureFunds,
    output=FundsEnsured,
    changes="Applies captured funds to an invoice and captures what is missing.",
    errors=(NotFound, OrderMoved, FundsInsufficient, PaymentDeclined),
    runs=Runs.OUTSIDE,
    compensation="give-back-payment",
    undo_with={"call": "call", "invoice": "input.invoice"},
)
ensure_refunds = ActionContract(
    name="ensure-refunds",
    input=EnsureRefunds,
    output=Amount,
    changes="Refunds a credit memo or excess funds to the payments they came from.",
    errors=(NotFound, RefundExceedsPaid, PaymentDeclined),
    runs=Runs.OUTSIDE,
    final="The money is with the customer again.",
)
reverse_authorization = ActionContract(
    name="reverse-authorization",
    input=Nothing,
    output=Amount,
    changes="Gives back the authorised amounts that the order can no longer need.",
    errors=(PaymentDeclined,),
    runs=Runs.OUTSIDE,
    final="The authorisation is gone; only a new one can take its place.",
)
fulfill_reservation = ActionContract(
    name="fulfill-reservation",
    input=ForFulfillmentOrder,
    output=Released,
    changes="Takes a shipped fulfillment order's units off the location's stock and its reservation.",
    errors=(NotFound,),
    final="The goods have left; they come back by a return.",
)
cancel_items = ActionContract(
    name="cancel-items",
    input=ForRequest,
    output=ItemsChanged,
    changes="Cancels the items of a cancel command in a change order; allocated ones are given back first.",
    errors=(QuantityUnavailable, ChangeRefused),
    final="Cancelled items stay cancelled; they can be ordered anew.",
)
return_items = ActionContract(
    name="return-items",
    input=ForRequest,
    output=ItemsChanged,
    changes="Returns the items of a return command in a change order.",
    errors=(QuantityUnavailable, ChangeRefused),
    final="A change order is never taken back.",
)
create_credit_memo = ActionContract(
    name="create-credit-memo",
    input=ForChangeOrder,
    output=CreditMemoCreated,
    changes="Credits a change order of fulfilled items.",
    errors=(NotFound,),
    final="A credit memo is never taken back.",
)
raise_exception = ActionContract(
    name="raise-exception",
    input=RaiseException,
    output=ExceptionRaised,
    changes="Records a process exception on the order.",
    final="What people have been told stays on record.",
)
resolve_exceptions = ActionContract(
    name="resolve-exceptions",
    input=ResolveExceptions,
    output=Count,
    changes="Resolves the order's open process exceptions of one code.",
    final="What is resolved stays resolved.",
)


CORE_ACTIONS = ActionCatalog(
    (
        create_reservation,
        release_reservation,
        schedule_routing,
        find_routes,
        create_fulfillment_orders,
        abandon_routing,
        authorize_payment,
        capture_payment,
        create_invoice,
        ensure_funds,
        ensure_refunds,
        reverse_authorization,
        fulfill_reservation,
        fulfill_digital,
        cancel_items,
        return_items,
        create_credit_memo,
        raise_exception,
        resolve_exceptions,
        withdraw_routing,
        cancel_fulfillment_orders,
        void_invoice,
        give_back_payment,
    )
)
"""Every core action, by the order in which an order meets them; then those that only undo others, and one's own."""


def contract_of(activity: str) -> ActionContract[Frozen, Frozen] | None:
    """Return the contract of the core action ``name@major``, or None."""
    return CORE_ACTIONS.get(activity)
