"""What can be done with an order now, and why not what cannot."""

from functools import cache

from orderloom.domain.fulfillment import FulfillmentStatus
from orderloom.domain.fulfillment_changes import FulfillmentAction, why_not
from orderloom.domain.model import Frozen
from orderloom.domain.parts import FulfillmentKind
from orderloom.readmodels.order_facts import OrderFacts


class AllowedAction(Frozen):
    """An action, and whether it is allowed at the moment."""

    action: str
    """The last part of its path below what allows it, such as ``cancel-items`` below an order."""
    allowed: bool
    reason: str | None = None
    """Why it is not allowed."""


def allowed_actions(facts: OrderFacts, life_cycle: str, stoppable: frozenset[str]) -> tuple[AllowedAction, ...]:
    """Return every action on the order, in a stable order."""
    products = facts.products
    to_stop = sum(facts.stoppable_units(line, stoppable) for line in facts.lines if line.kind == "product")
    unmanaged = "The order is unmanaged: its channel changes it." if life_cycle == "unmanaged" else None
    left = products.available_to_cancel + to_stop
    nothing_to_cancel = None if left else "No unit is left that is not cancelled, picked or shipped."
    nothing_to_return = None if products.available_to_return else "No shipped unit is left that is not coming back."
    nothing_to_route = None if products.available_to_cancel else "No unit is open: nothing has to be routed."
    return (
        _action("cancel-items", unmanaged or nothing_to_cancel),
        _action("return-items", unmanaged or nothing_to_return),
        _action("route", nothing_to_route),
    )


@cache
def allowed_on_fulfillment_order(
    status: FulfillmentStatus, kind: FulfillmentKind, *, held: bool
) -> tuple[AllowedAction, ...]:
    """Return every action on a fulfillment order, in a stable order."""
    return tuple(_action(action, why_not(action, status, kind, held=held)) for action in FulfillmentAction)


def _action(action: str, reason: str | None) -> AllowedAction:
    return AllowedAction(action=action, allowed=reason is None, reason=reason)
