"""Changes of an order after it was placed: cancel and return, as a plan that preview and submit share."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from orderloom.domain.errors import OrderloomError
from orderloom.domain.fulfillment import give_back
from orderloom.domain.funds import OrderFunds
from orderloom.domain.ids import oldest_first
from orderloom.domain.model import Frozen
from orderloom.domain.order import Line, stands
from orderloom.domain.placing import CancelItem, CancelItems, ReturnItem, ReturnItems
from orderloom.domain.units import Account, Movement, Pool, UnitState, apply, move


class QuantityUnavailable(OrderloomError):
    """The quantity cannot be cancelled or returned.

    Ask for at most the available quantity that the facts name.
    """

    code = "change.quantity_unavailable"
    status = 409


class ChangeRefused(OrderloomError):
    """The item or order cannot be changed this way.

    See the detail; delivery charges and unmanaged orders cannot be changed by this command.
    """

    code = "change.refused"
    status = 409


class ChangeBalances(Frozen):
    """What a change lowers, in minor units: positive where the order goes down (reference 1.1)."""

    grand_total_amount: int = 0
    total_amount: int = 0
    """Without tax."""
    total_tax_amount: int = 0
    total_adjusted_product_amount: int = 0
    total_adjusted_product_tax_amount: int = 0
    total_adj_product_amt_with_tax: int = 0
    total_adjusted_delivery_amount: int = 0
    total_adjusted_delivery_tax_amount: int = 0
    total_adj_delivery_amt_with_tax: int = 0
    total_fee_amount: int = 0
    total_fee_tax_amount: int = 0
    total_excess_funds_amount: int = 0
    """Of the whole order after the change: captured beyond what is owed then."""
    total_refundable_amount: int = 0
    """Of the whole order after the change: the excess, and what is credited and not refunded."""


class ChangedLine(Frozen):
    """A line of a change order: units that left, and the money that they took along (positive)."""

    line_id: str
    quantity: int
    """0 where only the amount goes down."""
    amount: int
    tax: int
    reason: str


class CancelPlan(Frozen):
    """A cancellation as it will be done: first ``give_back``, then ``movements``."""

    give_back: tuple[Movement, ...]
    """Out of fulfillment orders that are stopped: allocated to open."""
    movements: tuple[Movement, ...]
    """Open, reserved or (delivery charges only) allocated, to cancelled."""
    balances: ChangeBalances
    per_line: tuple[ChangedLine, ...]


class ReturnPlan(Frozen):
    """A return as it will be done."""

    movements: tuple[Movement, ...]
    """Fulfilled to returned, at the place and fulfillment order that they were shipped from."""
    balances: ChangeBalances
    per_line: tuple[ChangedLine, ...]


_BEFORE_SHIPPING = (UnitState.OPEN, UnitState.RESERVED, UnitState.ALLOCATED)
"""Where a delivery charge can still be lowered by a cancellation; later it takes a return and a credit memo."""

type Item = CancelItem | ReturnItem
type Target = Callable[[Account], Account]
"""Where units go from an account."""


def plan_cancel(
    lines: Sequence[Line],
    pools: Sequence[Pool],
    request: CancelItems,
    life_cycle: str,
    stoppable: Collection[str],
    *,
    funds: OrderFunds | None = None,
) -> CancelPlan:
    """
    Decide how *request* is carried out; nothing is changed.

    Open units go first, then reserved ones, then those that stoppable fulfillment orders give back, newest first.
    When no product unit of a delivery group is left, its charges that are not in a fulfillment order are cancelled
    too: nothing will ever be delivered for them.

    Args:
        pools: all balances of the order's units.
        life_cycle: ``managed`` or ``unmanaged``.
        stoppable: fulfillment orders that may still give units back.
        funds: the order's money, for the excess and refundable amounts of the balances.

    Raises:
        QuantityUnavailable: a line has less; facts ``line``, ``available``, ``asked``.
        ChangeRefused: unmanaged order, unknown line, delivery charge or fee, or a delivery charge that is shipped.
    """
    by_id = _changeable(lines, request.items, life_cycle)
    stopping = stoppable if request.allocated == "give_back" else ()
    given = _give_back(lines, pools, request.items, stopping)
    now = apply(pools, given)
    movements = [
        movement
        for item in request.items
        for movement in _take(item, now, (UnitState.OPEN, UnitState.RESERVED), _cancelled)
    ]
    movements += _reduce_delivery(lines, now, request.items, movements, states=_BEFORE_SHIPPING, target=_cancelled)
    movements += _orphaned_charges(
        lines, apply(now, movements), {by_id[item.line].delivery_group for item in request.items}
    )
    reasons = {item.line: item.reason for item in request.items}
    total = sum(movement.amount + movement.tax for movement in movements)
    excess = funds.excess_after(total) if funds else 0
    return CancelPlan(
        give_back=given,
        movements=tuple(movements),
        balances=_balances(by_id, movements, excess, excess + funds.refundable - funds.excess if funds else 0),
        per_line=_per_line(movements, reasons),
    )


def plan_return(
    lines: Sequence[Line],
    pools: Sequence[Pool],
    request: ReturnItems,
    life_cycle: str,
    *,
    funds: OrderFunds | None = None,
) -> ReturnPlan:
    """
    Decide how *request* is carried out; nothing is changed. Units of older fulfillment orders come back first.

    Raises:
        QuantityUnavailable: less of a line was shipped and stayed; facts ``line``, ``available``, ``asked``.
        ChangeRefused: unmanaged order, unknown line, delivery charge or fee, or a delivery charge that is not shipped.
    """
    by_id = _changeable(lines, request.items, life_cycle)
    movements = [
        movement for item in request.items for movement in _take(item, pools, (UnitState.FULFILLED,), _returned)
    ]
    movements += _reduce_delivery(
        lines, pools, request.items, movements, states=(UnitState.FULFILLED,), target=_returned
    )
    reasons = {item.line: item.reason for item in request.items}
    total = sum(movement.amount + movement.tax for movement in movements)
    return ReturnPlan(
        movements=tuple(movements),
        balances=_balances(
            by_id, movements, funds.excess if funds else 0, funds.refundable + total if funds else total
        ),
        per_line=_per_line(movements, reasons),
    )


def _cancelled(_: Account) -> Account:
    return Account(state=UnitState.CANCELLED)


def _returned(source: Account) -> Account:
    return replace(source, state=UnitState.RETURNED)


def _changeable(lines: Sequence[Line], items: Sequence[Item], life_cycle: str) -> dict[str, Line]:
    """Return the lines by id, after refusing items that no change may touch."""
    if life_cycle == "unmanaged":
        raise ChangeRefused("the order is unmanaged: change it where it is managed", life_cycle=life_cycle)
    by_id = {line.id: line for line in lines}
    for item in items:
        line = by_id.get(item.line)
        if line is None:
            raise ChangeRefused(f"the order has no line {item.line}: name one of its lines", line=item.line)
        if line.kind != "product":
            detail = (
                f"line {line.id} is a {line.kind} charge: change products, with reduce_delivery to lower the charge"
            )
            raise ChangeRefused(detail, line=line.id, kind=line.kind)
    return by_id


def _order(pool: Pool) -> tuple[int, tuple[int, str]]:
    """Sort key: open before reserved before all else, then by fulfillment order, oldest first."""
    return list(UnitState).index(pool.account.state), oldest_first(pool.account.fulfillment_order or "")


def _held(pools: Iterable[Pool], line_id: str, states: Collection[UnitState]) -> list[Pool]:
    return sorted((pool for pool in pools if pool.line_id == line_id and pool.account.state in states), key=_order)


def _take(item: Item, pools: Sequence[Pool], states: Collection[UnitState], target: Target) -> list[Movement]:
    """Move the item's quantity out of *states*, or say how much there is."""
    held = _held(pools, item.line, states)
    available = sum(pool.quantity for pool in held)
    if available < item.quantity:
        detail = f"line {item.line} has {available} available, {item.quantity} were asked for"
        raise QuantityUnavailable(detail, line=item.line, available=available, asked=item.quantity)
    left = item.quantity
    movements: list[Movement] = []
    for pool in held:
        if (quantity := min(left, pool.quantity)) > 0:
            movements.append(move(pool, quantity, target(pool.account)))
            left -= quantity
    return movements


def _give_back(
    lines: Sequence[Line], pools: Sequence[Pool], items: Sequence[CancelItem], stoppable: Collection[str]
) -> tuple[Movement, ...]:
    """Take what is not open or reserved out of stoppable fulfillment orders, the newest first."""
    wanted: dict[str, dict[str, int]] = {}
    for item in items:
        unallocated = _held(pools, item.line, (UnitState.OPEN, UnitState.RESERVED))
        left = item.quantity - sum(pool.quantity for pool in unallocated)
        for pool in reversed(_held(pools, item.line, (UnitState.ALLOCATED,))):
            fulfillment_order = pool.account.fulfillment_order or ""
            if left > 0 and fulfillment_order in stoppable:
                wanted.setdefault(fulfillment_order, {})[item.line] = min(left, pool.quantity)
                left -= min(left, pool.quantity)
    charges = frozenset(line.id for line in lines if line.kind != "product")
    return tuple(
        movement
        for fulfillment_order in sorted(wanted, key=oldest_first, reverse=True)
        for movement in give_back(pools, fulfillment_order, wanted[fulfillment_order], charges)
    )


def _reduce_delivery(
    lines: Sequence[Line],
    pools: Sequence[Pool],
    items: Sequence[Item],
    changed: Sequence[Movement],
    *,
    states: Collection[UnitState],
    target: Target,
) -> list[Movement]:
    """Lower delivery charges by the share of their group's product amount that the items take away (reference 6f)."""
    reducing = {item.line for item in items if item.reduce_delivery}
    group_of = {line.id: line.delivery_group for line in lines}
    movements: list[Movement] = []
    for group in dict.fromkeys(group_of[item.line] for item in items if item.reduce_delivery):
        reduction = sum(each.amount for each in changed if each.line_id in reducing and group_of[each.line_id] == group)
        products = {line.id for line in lines if line.delivery_group == group and line.kind == "product"}
        before = sum(pool.amount for pool in pools if pool.line_id in products and stands(pool))
        for line in lines:
            if line.delivery_group == group and line.kind == "delivery" and before:
                movements += _reduce(line, pools, (reduction, before), states, target)
    return movements


def _reduce(
    line: Line, pools: Sequence[Pool], ratio: tuple[int, int], states: Collection[UnitState], target: Target
) -> list[Movement]:
    """Take *ratio* of a delivery charge and of its tax, half-up, without its units."""
    standing = [pool for pool in pools if pool.line_id == line.id and stands(pool)]
    amount = _part(sum(pool.amount for pool in standing), *ratio)
    tax = _part(sum(pool.tax for pool in standing), *ratio)
    movements: list[Movement] = []
    for pool in _held(standing, line.id, states):
        taken = min(amount, pool.amount), min(tax, pool.tax)
        if any(taken):
            movements.append(move(pool, 0, target(pool.account), amount=taken[0], tax=taken[1]))
            amount, tax = amount - taken[0], tax - taken[1]
    if amount or tax:
        zone = "not shipped yet: cancel instead" if UnitState.FULFILLED in states else "shipped: return instead"
        raise ChangeRefused(f"delivery charge {line.id} is {zone}, or leave reduce_delivery out", line=line.id)
    return movements


def _part(total: int, part: int, whole: int) -> int:
    """Return *total* x *part* / *whole*, half-up; none is negative."""
    return (2 * total * part + whole) // (2 * whole)


def _orphaned_charges(lines: Sequence[Line], pools: Sequence[Pool], groups: Collection[str]) -> list[Movement]:
    """Cancel the open charges of delivery groups that have no product left to deliver: no shipment will carry them."""
    waiting = (UnitState.OPEN, UnitState.RESERVED)
    to_deliver = {pool.line_id for pool in pools if pool.quantity and pool.account.state in _BEFORE_SHIPPING}
    alive = {line.delivery_group for line in lines if line.kind == "product" and line.id in to_deliver}
    return [
        move(pool, pool.quantity, Account(state=UnitState.CANCELLED))
        for line in lines
        if line.kind != "product" and line.delivery_group in groups and line.delivery_group not in alive
        for pool in _held(pools, line.id, waiting)
    ]


def _per_line(movements: Iterable[Movement], reasons: Mapping[str, str]) -> tuple[ChangedLine, ...]:
    """Add up *movements* by line; a charge has the reason of the first item."""
    first = next(iter(reasons.values()))
    sums: dict[str, tuple[int, int, int]] = {}
    for movement in movements:
        quantity, amount, tax = sums.get(movement.line_id, (0, 0, 0))
        sums[movement.line_id] = quantity + movement.quantity, amount + movement.amount, tax + movement.tax
    return tuple(
        ChangedLine(line_id=line_id, quantity=quantity, amount=amount, tax=tax, reason=reasons.get(line_id, first))
        for line_id, (quantity, amount, tax) in sums.items()
    )


def _balances(by_id: Mapping[str, Line], movements: Sequence[Movement], excess: int, refundable: int) -> ChangeBalances:
    amount = dict.fromkeys(("product", "delivery", "fee"), 0)
    tax = dict(amount)
    for movement in movements:
        kind = by_id[movement.line_id].kind
        amount[kind] += movement.amount
        tax[kind] += movement.tax
    return ChangeBalances(
        grand_total_amount=sum(amount.values()) + sum(tax.values()),
        total_amount=sum(amount.values()),
        total_tax_amount=sum(tax.values()),
        total_adjusted_product_amount=amount["product"],
        total_adjusted_product_tax_amount=tax["product"],
        total_adj_product_amt_with_tax=amount["product"] + tax["product"],
        total_adjusted_delivery_amount=amount["delivery"],
        total_adjusted_delivery_tax_amount=tax["delivery"],
        total_adj_delivery_amt_with_tax=amount["delivery"] + tax["delivery"],
        total_fee_amount=amount["fee"],
        total_fee_tax_amount=tax["fee"],
        total_excess_funds_amount=excess,
        total_refundable_amount=refundable,
    )
