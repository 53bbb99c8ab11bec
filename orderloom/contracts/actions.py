"""
The contracts of the core actions: what flows may call, with what, and what comes back.

Behaviour within a major version does not change. Inputs are selectors and ids; no line of an order, no personal data.
The functions that keep these contracts stand in ``activities/``.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from orderloom.domain.changes import ChangeRefused, QuantityUnavailable
from orderloom.domain.errors import NotFound, OrderloomError
from orderloom.domain.inventory import StockMoved
from orderloom.domain.invoicing import AlreadyInvoiced
from orderloom.domain.model import Frozen
from orderloom.domain.order import OrderMoved
from orderloom.domain.payments import FundsInsufficient, PaymentDeclined, RefundExceedsPaid


class Runs(StrEnum):
    """Where an action runs (design, section 5)."""

    LOCAL = "local"
    """One transaction in our PostgreSQL."""
    OUTSIDE = "outside"
    """A transaction that writes intents, calls to the gateway, a transaction that records the outcomes."""


@dataclass(frozen=True, kw_only=True)
class ActionContract[I: Frozen, O: Frozen]:
    """One core action, as authors of flows see it."""

    name: str
    input: type[I]
    output: type[O]
    changes: str
    """What it changes, in one sentence."""
    major: int = 1
    errors: tuple[type[OrderloomError], ...] = ()
    compensation: str | None = None
    """The action that undoes it, or None where nothing needs undoing or nothing can."""
    runs: Runs = Runs.LOCAL

    @property
    def activity(self) -> str:
        """Return its name among Temporal's activities."""
        return f"{self.name}@{self.major}"


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

    outcome: Literal["ROUTED", "NO_STOCK", "SPLIT_LIMIT", "NO_ELIGIBLE_LOCATION", "NOT_PROVEN", "NOTHING_TO_ROUTE"]
    attempt: int
    locations: list[str] = []
    """At most ten, in the order of the plan."""
    splits: int = 0
    retry: bool = False
    """Nothing was found and the policy allows another attempt."""


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


class Amount(Frozen):
    """Minor units of the order's currency."""

    amount: int


class ForFulfillmentOrder(Frozen):
    """One fulfillment order of the order."""

    fulfillment_order: str


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


class Count(Frozen):
    """How many."""

    count: int


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
)
schedule_routing = ActionContract(
    name="schedule-routing",
    input=ScheduleRouting,
    output=RoutingScheduled,
    changes="Adds a routing schedule, unless one is planned already.",
)
find_routes = ActionContract(
    name="find-routes",
    input=FindRoutes,
    output=RouteFound,
    changes="Completes the schedule and stores a routing attempt with its plan and reasons; reserves nothing.",
)
create_fulfillment_orders = ActionContract(
    name="create-fulfillment-orders",
    input=CreateFulfillmentOrders,
    output=FulfillmentOrdersCreated,
    changes="Transfers the reservation to the plan's locations and creates a fulfillment order at each.",
    errors=(StockMoved, OrderMoved),
)
abandon_routing = ActionContract(
    name="abandon-routing",
    input=AbandonRouting,
    output=Released,
    changes="Marks the schedule abandoned; releases the reservation if the channel's policy says so.",
)
authorize_payment = ActionContract(
    name="authorize-payment",
    input=AuthorizePayment,
    output=Amount,
    changes="Authorises the order's payments that the channel has not authorised.",
    errors=(PaymentDeclined,),
    compensation="reverse-authorization",
    runs=Runs.OUTSIDE,
)
capture_payment = ActionContract(
    name="capture-payment",
    input=Nothing,
    output=Amount,
    changes="Captures the order's grand total without an invoice, as far as it is not captured yet.",
    errors=(PaymentDeclined, FundsInsufficient),
    runs=Runs.OUTSIDE,
)
create_invoice = ActionContract(
    name="create-invoice",
    input=ForFulfillmentOrder,
    output=InvoiceCreated,
    changes="Invoices a fulfillment order's items at their share of the order's amounts.",
    errors=(NotFound, AlreadyInvoiced),
)
ensure_funds = ActionContract(
    name="ensure-funds",
    input=EnsureFunds,
    output=FundsEnsured,
    changes="Applies captured funds to an invoice and captures what is missing.",
    errors=(NotFound, OrderMoved, FundsInsufficient, PaymentDeclined),
    runs=Runs.OUTSIDE,
)
ensure_refunds = ActionContract(
    name="ensure-refunds",
    input=EnsureRefunds,
    output=Amount,
    changes="Refunds a credit memo or excess funds to the payments they came from.",
    errors=(NotFound, RefundExceedsPaid, PaymentDeclined),
    runs=Runs.OUTSIDE,
)
reverse_authorization = ActionContract(
    name="reverse-authorization",
    input=Nothing,
    output=Amount,
    changes="Gives back the authorised amounts that the order can no longer need.",
    errors=(PaymentDeclined,),
    runs=Runs.OUTSIDE,
)
fulfill_reservation = ActionContract(
    name="fulfill-reservation",
    input=ForFulfillmentOrder,
    output=Released,
    changes="Takes a shipped fulfillment order's units off the location's stock and its reservation.",
    errors=(NotFound,),
)
cancel_items = ActionContract(
    name="cancel-items",
    input=ForRequest,
    output=ItemsChanged,
    changes="Cancels the items of a cancel command in a change order; allocated ones are given back first.",
    errors=(QuantityUnavailable, ChangeRefused),
)
return_items = ActionContract(
    name="return-items",
    input=ForRequest,
    output=ItemsChanged,
    changes="Returns the items of a return command in a change order.",
    errors=(QuantityUnavailable, ChangeRefused),
)
create_credit_memo = ActionContract(
    name="create-credit-memo",
    input=ForChangeOrder,
    output=CreditMemoCreated,
    changes="Credits a change order of fulfilled items.",
    errors=(NotFound,),
)
raise_exception = ActionContract(
    name="raise-exception",
    input=RaiseException,
    output=ExceptionRaised,
    changes="Records a process exception on the order.",
)
resolve_exceptions = ActionContract(
    name="resolve-exceptions",
    input=ResolveExceptions,
    output=Count,
    changes="Resolves the order's open process exceptions of one code.",
)

CORE_ACTIONS: tuple[ActionContract[Frozen, Frozen], ...] = (  # pyright: ignore[reportAssignmentType]
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
    cancel_items,
    return_items,
    create_credit_memo,
    raise_exception,
    resolve_exceptions,
)
"""Every core action, by the order in which an order meets them."""
