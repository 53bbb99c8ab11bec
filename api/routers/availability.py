"""What is available to promise, for many SKUs at many places at once."""

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncConnection

from api.dependencies import Given, Reading
from api.errors import ChannelUnknown
from api.examples import AVAILABILITY
from api.openapi import BODY_PROBLEMS, body_examples, problems
from api.routes import StrictRoute
from orderloom.domain.errors import InvalidInput
from orderloom.readmodels.availability import Availability, AvailabilityQuestion, availability
from orderloom.readmodels.catalog import channel_in_force

router = APIRouter(prefix="/v1/availability", tags=["stock"], route_class=StrictRoute)


@router.get("", responses=problems(InvalidInput, ChannelUnknown))
async def get(given: Given, conn: Reading, question: Annotated[AvailabilityQuestion, Query()]) -> Availability:
    """Read what is available of SKUs at locations, at groups, or at all locations that are in no group."""
    await _require_channel(conn, question)
    return await availability(conn, question, given.clock.now())


@router.post("", responses=problems(*BODY_PROBLEMS, ChannelUnknown), openapi_extra=body_examples(AVAILABILITY))
async def ask(given: Given, conn: Reading, question: AvailabilityQuestion) -> Availability:
    """Ask the same with up to 100 SKUs and 100 places in the body; nothing is changed."""
    await _require_channel(conn, question)
    return await availability(conn, question, given.clock.now())


async def _require_channel(conn: AsyncConnection, question: AvailabilityQuestion) -> None:
    if question.channel is not None and await channel_in_force(conn, question.channel) is None:
        raise ChannelUnknown(f"the channel {question.channel} is not set up", channel=question.channel)
