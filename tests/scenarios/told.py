"""What transactions tell their workflows of an order, held against what they leave in the database."""

from typing import Any

import pytest

from activities import record, transaction
from activities.header import header_of
from activities.transaction import Answer, Call
from activities.unit import Unit
from orderloom.contracts.messages import ActionDone
from orderloom.domain.model import JsonObject
from orderloom.persistence.standing import read_standing


def watch(patch: pytest.MonkeyPatch) -> list[tuple[JsonObject, JsonObject]]:
    """Return where every header goes that tells other sums than a transaction leaves, with the right one beside it."""
    wrong: list[tuple[JsonObject, JsonObject]] = []
    finish = transaction.finish

    async def finished(unit: Unit, call: Call, answer: Answer, *args: Any) -> ActionDone:
        done = await finish(unit, call, answer, *args)
        told = {**call.context.seen, **done.applied.order}
        for each in done.applied.ahead:
            told |= each.done.applied.order
        if call.by_workflow:
            standing = await read_standing(await unit.written(), unit.order.id)
            seq, attempts = unit.order.seq, unit.routing_attempts
            left = {**header_of(unit.order, standing, seq=seq, routing_attempts=attempts)}
            left |= {name: told[name] for name in ("seq", "routing")}
            if left != told:
                wrong.append((told, left))
        return done

    patch.setattr(transaction, "finish", finished)
    patch.setattr(record, "finish", finished)
    return wrong
