"""The two phases of an outside action, each a transaction: its intents are written, and their outcomes recorded."""

from typing import Any

from activities import intents
from activities.transaction import Answer, Body, Call, Implementation, Preparation, call_of, command_of, transact
from activities.unit import Services, Unit
from orderloom.contracts.actions import ActionContract
from orderloom.contracts.messages import ActionDone, RunAction, SettleAction
from orderloom.domain.errors import OrderloomError
from orderloom.domain.model import Frozen, Json
from orderloom.persistence.digest import digest


async def prepare(
    services: Services, contract: ActionContract[Any, Any], function: Preparation[Any, Any], request: RunAction
) -> ActionDone:
    """Write the intents of an outside action, at most once for its key."""
    body = preparing(function, command_of(contract, request.input))
    return await transact(services, call_of(request, contract.activity), body)


def preparing(function: Preparation[Any, Any], command: Frozen) -> Body:
    """Return the body of an outside action's first transaction."""

    async def body(unit: Unit) -> Answer:
        prepared = await function(unit, command)
        if isinstance(prepared, Frozen):
            return Answer(output=prepared.model_dump(mode="json"))
        return Answer(requests=prepared)

    return body


async def settle(
    services: Services, contract: ActionContract[Any, Any], function: Implementation[Any, Any], request: SettleAction
) -> ActionDone:
    """
    Record what gateways said of an action's intents, and finish the action when all of them are settled.

    Raises:
        ActionFailed: the action ends in an error of ours; the outcomes are committed.
    """
    action = request.action
    command = command_of(contract, action.input)
    outcomes: list[Json] = [outcome.model_dump(mode="json") for outcome in request.outcomes]

    async def body(unit: Unit) -> Answer:
        if unknown := await intents.settle(unit, request.outcomes):
            # Asked again with the same outcomes, a webhook may have come meanwhile: look again instead of repeating.
            return Answer(requests=unknown, remember=bool(unit.buffer.events))
        try:
            async with unit.savepoint():
                output: Frozen = await function(unit, command)
        except OrderloomError as error:
            return Answer(failure=error, remember=False)
        return Answer(output=output.model_dump(mode="json"))

    call = Call(
        context=action.context,
        key=f"{action.key}!settle-{digest(outcomes).hex()[:16]}",
        cause=action.cause,
        input={"action": contract.activity, "input": action.input, "outcomes": outcomes},
        action_key=action.key,
    )
    return await transact(services, call, body)
