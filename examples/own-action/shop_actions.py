"""Actions of our own shop. ORDERLOOM_ACTIONS=shop_actions lets flows call them."""

from typing import Literal

from activities.registry import implements
from activities.unit import Unit
from orderloom.contracts.actions import CORE_ACTIONS
from orderloom.contracts.contract import ActionContract
from orderloom.domain.model import Frozen


class ScoreOrder(Frozen):
    """From which grand total on, in minor units, an order is looked at by a person."""

    careful_from: int


class OrderScored(Frozen):
    """Whether an order is to be looked at, and the number of its lines."""

    verdict: Literal["fine", "look"]
    lines: int


score_order = ActionContract(
    name="score-order",
    input=ScoreOrder,
    output=OrderScored,
    changes="Looks at the order and notes its score in the journal.",
    final="A score that was noted stays noted.",
)
CORE_ACTIONS.add(score_order)


@implements(score_order)
async def score(unit: Unit, asked: ScoreOrder) -> OrderScored:
    """Score the order: whatever is written here is written once, however often the step is tried."""
    lines = [line for line in await unit.lines() if line.kind == "product"]
    standing = await unit.standing()
    verdict = "look" if standing.grand_total >= asked.careful_from else "fine"
    unit.journal("shop.order.scored", {"verdict": verdict})
    return OrderScored(verdict=verdict, lines=len(lines))
