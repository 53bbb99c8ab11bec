"""What calls of flows to the outside were answered: kept under the step's key, so that no call is made again."""

from activities.registry import serves
from activities.transaction import Answer, call_of, transact
from activities.unit import Services, Unit
from orderloom.contracts.messages import ActionDone, RecordAnswer
from orderloom.contracts.queues import RECORD_ANSWER


@serves(RECORD_ANSWER, RecordAnswer, ActionDone)
async def record_answer(services: Services, request: RecordAnswer) -> ActionDone:
    """Return the answer that was kept for the step first, be it an error; the output is empty when there is none."""

    async def body(_: Unit) -> Answer:
        if request.answer is None:
            return Answer(remember=False)
        return Answer(output=request.answer.model_dump(mode="json"))

    return await transact(services, call_of(request.action, request.call), body)
