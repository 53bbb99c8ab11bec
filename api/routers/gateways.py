"""Payment gateways: what they say by webhook."""

from fastapi import APIRouter, BackgroundTasks

from api.dependencies import Given
from api.errors import IntentUnknown
from api.examples import NOTICE
from api.intaking import take_event
from api.openapi import BODY_PROBLEMS, body_examples, problems
from api.routes import StrictRoute
from api.schemas import EventTaken
from orderloom.contracts.outside import GatewayNotice
from orderloom.persistence.intake import IntakeDuplicate
from orderloom.persistence.reports import Report

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
    event = Report(
        type=PAYMENT_UPDATED,
        about="payment_intent",
        id=notice.intent_id,
        source=gateway,
        external_id=notice.event_id,
        body=notice.model_dump(mode="json"),
        received_at=given.clock.now(),
    )
    taken = await take_event(given, later, event)
    if taken is None:
        raise IntentUnknown(f"{gateway} was never asked {notice.intent_id}")
    return taken
