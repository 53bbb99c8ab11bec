"""Store pickup: which delivery groups may be picked up where."""

from collections.abc import Collection, Iterator, Mapping

from orderloom.domain.errors import FieldProblem, InvalidInput
from orderloom.domain.order import Fulfilment
from orderloom.domain.placing import PlaceOrder


def check_pickups(order: PlaceOrder, offered: Collection[str], fulfilments: Mapping[str, Fulfilment]) -> None:
    """
    Refuse an order with a delivery group that cannot be picked up where it says.

    Args:
        offered: the locations at which this channel's customers can pick up.
        fulfilments: SKU to how it reaches the customer.

    Raises:
        InvalidInput: a location offers no pickup, or a line that is picked up comes from a supplier.
    """
    if problems := (*_not_offered(order, offered), *_from_suppliers(order, fulfilments)):
        raise InvalidInput(problems[0].detail, errors=problems)


def _not_offered(order: PlaceOrder, offered: Collection[str]) -> Iterator[FieldProblem]:
    for index, group in enumerate(order.delivery_groups):
        if group.pickup_location is not None and group.pickup_location not in offered:
            yield FieldProblem(
                pointer=f"/delivery_groups/{index}/pickup_location",
                detail=f"nothing can be picked up at {group.pickup_location!r} in this channel: name a location that"
                " offers it, or leave it out to have it sent",
                code="delivery_group.pickup_unavailable",
            )


def _from_suppliers(order: PlaceOrder, fulfilments: Mapping[str, Fulfilment]) -> Iterator[FieldProblem]:
    picked_up = {group.id for group in order.delivery_groups if group.pickup_location is not None}
    for index, line in enumerate(order.lines):
        if fulfilments.get(line.sku or "") == "dropship" and order.delivery_group_of(line) in picked_up:
            yield FieldProblem(
                pointer=f"/lines/{index}/delivery_group",
                detail=f"SKU {line.sku!r} is sent by its supplier and cannot be picked up: give it a delivery group"
                " with an address",
                code="line.pickup_dropship",
            )
