"""Payment gateways: what they say by webhook."""

from fastapi import APIRouter, BackgroundTasks

from api.dependencies import Given
from api.errors import IntentUnknown
from api.examples import NOTICE
from api.intaking import OutsideEvent, take_event
from api.openapi import BODY_PROBLEMS, body_examples, problems
from api.routes import StrictRoute
from api.schemas import EventTaken
from orderloom.contracts.outside import GatewayNotice
from orderloom.persistence.intake import IntakeDuplicate
from orderloom.readmodels.payments import order_of_intent

PAYMENT_UPDATED = "payment.updated"

router = APIRouter(prefix="/v1/gateways", tags=["gateways"], route_class=StrictRoute)


@router.post(
    "/{gateway}/webhooks",
    status_code=202,
    responses=problems(IntentUnknown, IntakeDuplicate, *BODY_PROBLEMS),
    openapi_extra=body_examples(NOTICE),
)
async def webhook(given: Given, later: BackgroundTasks, gateway: str, notice: GatewayNotice) -> EventTaken:
    """Tell what became of an intent: before, after or without the gateway's answer, once or more."""
    found = await order_of_intent(given.engine, gateway, notice.intent_id, PAYMENT_UPDATED)
    if found is None:
        raise IntentUnknown(f"{gateway} was never asked {notice.intent_id}")
    order, wanted = found
    event = OutsideEvent(
        type=PAYMENT_UPDATED,
        order_id=order,
        source=gateway,
        external_id=notice.event_id,
        body=notice.model_dump(mode="json"),
    )
    return await take_event(given, later, event, wanted=wanted)
