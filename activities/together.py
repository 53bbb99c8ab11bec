"""
Several orders in one transaction, each as if it were alone.

What is read and written is read and written for all of them by one statement. One order's trouble is not another's: an
order that somebody else holds, or that has answered this key before, is left out; when anything at all goes wrong the
whole transaction is rolled back. Whoever is not done is run alone (``activities.group_commit``).
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from activities.backorders import count_ahead
from activities.transaction import Answer, Call, call_of, close, command_of, open_unit, order_row, tell
from activities.unit import Services, Unit
from orderloom.contracts.actions import ActionContract
from orderloom.contracts.messages import ActionDone, RunAction
from orderloom.domain.model import Frozen
from orderloom.persistence.conflicts import is_at_fault, tried
from orderloom.persistence.journal import lock_free
from orderloom.persistence.transactions import Transaction
from orderloom.persistence.writes import Writes

type Together[I: Frozen, O: Frozen] = Callable[[Sequence[tuple[Unit, I]]], Awaitable[Sequence[O]]]
"""Carries out an action for several orders, each with its input. Their books are read already."""


async def run_together(
    services: Services,
    contract: ActionContract[Any, Any],
    together: Together[Any, Any],
    requests: Sequence[RunAction],
) -> list[ActionDone | None]:
    """
    Run a local action for different orders, at most once for the key of each; None for each that is to run alone.

    Raises:
        DBAPIError, OSError: the database did not answer, or not in time; nothing was done.
    """

    async def transaction() -> dict[str, ActionDone]:
        return await _transact(services, contract, together, requests)

    try:
        done = await tried(transaction)
    except Exception as error:
        # Whatever one order did wrong has rolled all of them back: each is run alone and meets its own error there.
        if not is_at_fault(error):
            raise
        return [None for _ in requests]
    return [done.get(request.context.order_id) for request in requests]


async def _transact(
    services: Services,
    contract: ActionContract[Any, Any],
    together: Together[Any, Any],
    requests: Sequence[RunAction],
) -> dict[str, ActionDone]:
    calls = [call_of(request, contract.activity) for request in requests]
    async with Transaction(services.engine) as conn:
        locked = await lock_free(conn, {call.context.order_id: (call.key, call.heard) for call in calls})
        writes = Writes()
        asked: list[tuple[Unit, Call, Any]] = []
        for call, request in zip(calls, requests, strict=True):
            order = locked.get(call.context.order_id)
            if order is not None and order.answer is None:
                unit = open_unit(
                    services, conn, order_row(order), call, order.books, missed=order.missed, writes=writes
                )
                asked.append((unit, call, command_of(contract, request.input)))
        if not asked:
            return {}
        outputs = await together([(unit, command) for unit, _, command in asked])
        answers = [Answer(output=output.model_dump(mode="json")) for output in outputs]
        for (unit, call, _), answer in zip(asked, answers, strict=True):
            close(unit, call, answer)
        await writes.write(conn)
        await count_ahead(*(unit for unit, _, _ in asked))
        return {
            unit.order.id: await tell(unit, call, answer)
            for (unit, call, _), answer in zip(asked, answers, strict=True)
        }
