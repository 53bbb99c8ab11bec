"""Orders that are placed without servers but PostgreSQL: taken in and recorded, as a worker records them."""

from typing import cast

from activities.record import record_delivery
from activities.unit import Services
from orderloom.bootstrap.clock import Clock
from orderloom.contracts.messages import Context, Delivery, ReleasePin
from orderloom.domain.model import JsonObject
from orderloom.persistence.intake import ORDER_PLACED, Submission, submit


def context(order: str, pin: ReleasePin, clock: Clock) -> Context:
    """Return in what an action on *order* runs."""
    return Context(order_id=order, now=clock.now(), known_flows=[], pin=pin)


async def place(services: Services, pin: ReleasePin, body: JsonObject) -> str:
    """Place an order and return its id."""
    submission = Submission(
        kind="command",
        type=ORDER_PLACED,
        source=str(body["channel"]),
        external_id=str(body["external_id"]),
        body=body,
        person=cast("JsonObject", body["customer"]),
        received_at=Clock().now(),
    )
    taken = await submit(services.engine, services.vault, submission)
    delivery = Delivery(intake_id=taken.intake_id, type=ORDER_PLACED)
    await record_delivery(services.engine, services.vault, context(taken.order_id, pin, Clock()), delivery)
    return taken.order_id
