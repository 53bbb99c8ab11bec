"""Task queues and names that clients and workers must agree on."""

ORDERS = "orders"
"""Order workflows and their local activities."""

OUTSIDE = "outside"
"""Activities that call parties outside (gateways, carriers); they touch no table."""

ORDER_WORKFLOW = "Order"
"""The registered name of the order workflow."""


def workflow_id(order_id: str) -> str:
    """Return the id of the workflow of *order_id*."""
    return f"order:{order_id}"


RECORD = "record"
"""Local activity: ``RecordDelivery`` to ``Recorded``."""

EMIT_EVENT = "emit-event"
"""Local activity: ``RunAction`` with input ``{type, data}`` to ``ActionDone``."""

PARK = "park"
"""Local activity: ``Park`` to ``Parked``."""

REBUILD = "rebuild"
"""Local activity: ``Rebuild`` to ``Rebuilt``."""
