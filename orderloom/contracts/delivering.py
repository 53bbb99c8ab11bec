"""The contracts of core actions that end a fulfillment order without its location's report."""

from orderloom.contracts.contract import ActionContract
from orderloom.domain.errors import NotFound
from orderloom.domain.model import Frozen
from orderloom.domain.order import OrderMoved


class ForFulfillmentOrder(Frozen):
    """One fulfillment order of the order."""

    fulfillment_order: str


class Delivered(Frozen):
    """How many units reached the customer."""

    units: int


fulfill_digital = ActionContract(
    name="fulfill-digital",
    input=ForFulfillmentOrder,
    output=Delivered,
    changes="Marks a digital fulfillment order as delivered, as a location's report of shipping does.",
    errors=(NotFound, OrderMoved),
    final="What was delivered as data cannot be taken back.",
)
