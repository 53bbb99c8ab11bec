"""The header of an order: what expressions of flows see as ``$order`` (in CEL: ``order``). No personal data."""

from typing import Literal

from orderloom.domain.model import Message
from orderloom.domain.order import OrderStatus


class PolicyHeader(Message):
    """What the channel decided for this order."""

    reserve: Literal["placing", "routing"]
    when_short: Literal["accept", "refuse"]
    remorse: str
    """ISO 8601 duration; ``PT0S`` when there is none."""
    max_attempts: int


class UnitsHeader(Message):
    """Product units by state; each unit is in one of them. ``ordered`` is their sum."""

    ordered: int
    open: int
    reserved: int
    allocated: int
    fulfilled: int
    return_initiated: int
    returned: int
    cancelled: int


class MoneyHeader(Message):
    """Minor units of the order's currency (``domain.funds``)."""

    grand_total: int
    """Of what is neither cancelled nor returned, with tax."""
    ordered: int
    invoiced: int
    credited: int
    authorised: int
    captured: int
    """Captured and not applied to an invoice."""
    applied: int
    refunded: int
    to_authorize: int
    to_reverse: int
    """Both count what the gateway was asked for until it has answered; asked for again, nothing is asked twice."""
    excess: int


class RoutingHeader(Message):
    """How often routing was tried."""

    attempts: int


class OpenHeader(Message):
    """How many are open."""

    open: int


class OrderHeader(Message):
    """The order as flows see it, at most 2 KB. Its JSON Schema types expressions when a flow is checked."""

    id: str
    channel: str
    currency: str
    life_cycle: Literal["managed", "unmanaged"]
    status: OrderStatus
    seq: int
    policy: PolicyHeader
    units: UnitsHeader
    money: MoneyHeader
    routing: RoutingHeader
    fulfillment: OpenHeader
    """Fulfillment orders."""
    exceptions: OpenHeader
    """Process exceptions."""
