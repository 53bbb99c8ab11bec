"""Task queues and names that clients and workers must agree on."""

ORDERS = "orders"
"""Order workflows and their local activities."""

OUTSIDE = "outside"
"""Activities that call parties outside (gateways, carriers); they touch no table."""

ROUTING = "routing"
"""Searches for routes that take too long for an order's own worker."""

ORDER_WORKFLOW = "Order"
"""The registered name of the order workflow."""


_PREFIX = "order:"


def workflow_id(order_id: str) -> str:
    """Return the id of the workflow of *order_id*."""
    return f"{_PREFIX}{order_id}"


def order_of(workflow_id: str) -> str | None:
    """Return the order whose workflow has this id, or None when it is no order's."""
    return workflow_id.removeprefix(_PREFIX) if workflow_id.startswith(_PREFIX) else None


RECORD = "record"
"""Local activity: ``RecordDelivery`` to ``Recorded``."""

EMIT_EVENT = "emit-event"
"""Local activity: ``RunAction`` with input ``{type, data}`` to ``ActionDone``."""

RECORD_ANSWER = "record-answer"
"""Local activity: ``RecordAnswer`` to ``ActionDone`` with an ``OutsideAnswer`` as output."""

RAISE_FAULT = "raise-fault"
"""Local activity: ``RaiseFault`` to ``ActionDone`` with output ``{exception, decision}``."""

FIND_FAULT = "find-fault"
"""Local activity: ``FindFault`` to ``FaultFound``; only revived orders ask."""

PARK = "park"
"""Local activity: ``Park`` to ``Parked``."""

REBUILD = "rebuild"
"""Local activity: ``Rebuild`` to ``Rebuilt``."""
