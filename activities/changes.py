"""Cancel and return: a command becomes a change order, and units and money move as the plan of the domain says."""

from collections import Counter
from collections.abc import Iterable

from activities.fulfillment import give_up, stoppable
from activities.registry import implements
from activities.reservations import release_at_group
from activities.unit import Unit
from orderloom.contracts import actions
from orderloom.contracts.actions import ForRequest, ItemsChanged
from orderloom.domain import ids
from orderloom.domain.changes import CancelPlan, ReturnPlan, plan_cancel, plan_return
from orderloom.domain.funds import Account, Posting
from orderloom.domain.placing import CancelItems, ReturnItems
from orderloom.domain.units import Movement, UnitState
from orderloom.persistence.tables.orders import change_order_lines, change_orders

_LIVE = (
    UnitState.OPEN,
    UnitState.RESERVED,
    UnitState.ALLOCATED,
    UnitState.FULFILLED,
    UnitState.RETURN_INITIATED,
    UnitState.RETURNED,
)
"""States of units that were not cancelled."""


@implements(actions.cancel_items)
async def cancel_items(unit: Unit, command: ForRequest) -> ItemsChanged:
    """Cancel the command's items: planned anew on the ledger of now, allocated units given back first."""
    request = CancelItems.model_validate(await unit.request(command.request))
    stopping = await stoppable(unit)
    plan = plan_cancel(
        await unit.lines(),
        await unit.pools(),
        request,
        unit.order.life_cycle,
        stopping,
        funds=await unit.funds(),
    )
    change_order = await _next_change_order(unit)
    unit.journal("items.cancelled", {"change_order": change_order})
    await give_up(unit, plan.give_back, stopping)
    await unit.move_units(plan.movements)
    if reserved := _units(plan.movements, UnitState.RESERVED):
        await release_at_group(unit, reserved)
    _write(unit, change_order, "cancel", command.request, plan)
    unit.post(
        Posting(
            debit=Account.ORDERED,
            credit=Account.CUSTOMER,
            amount=plan.balances.grand_total_amount,
            document_id=change_order,
        )
    )
    if not await _has_units(unit):
        unit.journal("order.cancelled", {})
    return await _changed(unit, change_order, plan)


@implements(actions.return_items)
async def return_items(unit: Unit, command: ForRequest) -> ItemsChanged:
    """Return the command's items; what comes back is not restocked here, and a credit memo moves the money."""
    request = ReturnItems.model_validate(await unit.request(command.request))
    plan = plan_return(await unit.lines(), await unit.pools(), request, unit.order.life_cycle, funds=await unit.funds())
    change_order = await _next_change_order(unit)
    unit.journal("items.returned", {"change_order": change_order})
    await unit.move_units(plan.movements)
    _write(unit, change_order, "return", command.request, plan)
    return await _changed(unit, change_order, plan)


async def _next_change_order(unit: Unit) -> str:
    return ids.change_order_id(unit.order.id, await unit.next_number(change_orders))


def _units(movements: Iterable[Movement], source: UnitState) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for movement in movements:
        if movement.source.state is source and movement.quantity > 0:
            counted[movement.line_id] += movement.quantity
    return dict(counted)


async def _has_units(unit: Unit) -> bool:
    """Tell whether a product is left that was not cancelled; charges alone are no order."""
    products = {line.id for line in await unit.lines() if line.kind == "product"}
    return any(pool.line_id in products and pool.quantity > 0 for pool in await unit.pools(*_LIVE))


def _write(unit: Unit, change_order: str, kind: str, request: str, plan: CancelPlan | ReturnPlan) -> None:
    unit.enter(
        change_orders,
        {
            "id": change_order,
            "order_id": unit.order.id,
            "seq": unit.seq,
            "kind": kind,
            "request_id": request,
            "before_fulfillment": kind == "cancel",
            "balances": plan.balances.model_dump(mode="json"),
            "created_at": unit.now,
        },
    )
    rows = [
        {
            "change_order_id": change_order,
            "line_id": line.line_id,
            "quantity": line.quantity,
            "amount": -line.amount,
            "tax": -line.tax,
            "reason": line.reason,
        }
        for line in plan.per_line
    ]
    unit.enter(change_order_lines, *rows)


async def _changed(unit: Unit, change_order: str, plan: CancelPlan | ReturnPlan) -> ItemsChanged:
    funds = await unit.funds()
    return ItemsChanged(change_order=change_order, total=plan.balances.grand_total_amount, excess=funds.excess)
