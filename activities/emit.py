"""Events that flows emit."""

from typing import Annotated

from pydantic import StringConstraints

from activities.registry import serves
from activities.transaction import Answer, Body, call_of, command_of, transact
from activities.unit import Services, Unit
from orderloom.contracts.actions import ActionContract, Nothing
from orderloom.contracts.messages import ActionDone, RunAction
from orderloom.contracts.queues import EMIT_EVENT
from orderloom.domain.model import Frozen, JsonObject


class EmitEvent(Frozen):
    """An event for the order's journal: ids and small facts, no personal data."""

    type: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    data: JsonObject = {}


_EMIT = ActionContract(name=EMIT_EVENT, input=EmitEvent, output=Nothing, changes="Adds an event to the journal.")


@serves(EMIT_EVENT, RunAction, ActionDone)
async def emit_event(services: Services, request: RunAction) -> ActionDone:
    """Journal one event, once for its key."""
    return await transact(services, call_of(request, EMIT_EVENT), emitting(request.input))


def emitting(input: JsonObject) -> Body:
    """Return the body of the transaction that journals the event in *input*."""
    command = command_of(_EMIT, input)

    async def body(unit: Unit) -> Answer:
        unit.journal(command.type, command.data)
        return Answer()

    return body
