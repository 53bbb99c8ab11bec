"""What an order's routing would be if something were otherwise: another stock, fewer locations, another policy."""

from collections import Counter
from collections.abc import Mapping, Sequence

from orderloom.domain.eligibility import Holds, LocationFacts
from orderloom.domain.errors import FieldProblem, InvalidInput
from orderloom.domain.model import Frozen
from orderloom.domain.route_figures import Figures, figures
from orderloom.domain.router import Solve, attempt
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.domain.situation import Situation


class TradeOff(Frozen):
    """What a split limit would come to."""

    max_splits: int
    figures: Figures


def with_other_stock(situation: Situation, stock: Mapping[str, Mapping[str, int]], without: Sequence[str]) -> Situation:
    """
    Return *situation* as if the locations had *stock* (by location and SKU) and those *without* did not exist.

    What a group can promise, the channel's own or another one, changes as much as the sum of its locations.

    Raises:
        InvalidInput: a location is none of those that were asked, or nothing waits for a SKU; fields are named.
    """
    _refuse_unknown(situation, stock, without)
    more: Counter[str] = Counter()
    limits = {group: Counter(of) for group, of in situation.limits.items()}
    locations: list[LocationFacts] = []
    for each in situation.locations:
        given = {} if each.id in without else dict(stock.get(each.id, {}))
        now = {} if each.id in without else {**each.stock, **given}
        for sku in {*each.stock, *now}:
            change = now.get(sku, 0) - each.stock.get(sku, 0)
            more[sku] += change
            for limit in (limits[group] for group in each.groups if group in limits):
                limit.update({sku: change} if sku in limit else {})
        if each.id not in without:
            locations.append(each.model_copy(update={"stock": {sku: there for sku, there in now.items() if there > 0}}))
    free = {sku: max(0, there + more[sku]) for sku, there in situation.free.items()}
    left = {group: {sku: max(0, there) for sku, there in of.items()} for group, of in limits.items()}
    return situation.model_copy(update={"locations": tuple(locations), "free": free, "limits": left})


def _refuse_unknown(situation: Situation, stock: Mapping[str, Mapping[str, int]], without: Sequence[str]) -> None:
    known = {each.id for each in situation.locations}
    wanted = {sku for part in situation.parts for sku in part.demand}
    problems = [
        *(_problem(f"/without/{index}", f"{id} is no location that this order is routed from")
          for index, id in enumerate(without) if id not in known),
        *(_problem(f"/stock/{id}", f"{id} is no location that this order is routed from")
          for id in stock if id not in known),
        *(_problem(f"/stock/{id}/{sku}", f"nothing of {sku} waits")
          for id, skus in stock.items() for sku in skus if id in known and sku not in wanted),
    ]  # fmt: skip
    if problems:
        raise InvalidInput(problems[0].detail, errors=tuple(problems))


def _problem(pointer: str, detail: str) -> FieldProblem:
    return FieldProblem(pointer=pointer, detail=detail, code="unknown")


def trade_off(
    policy: RoutingPolicy, situation: Situation, most: int, holds: Holds, solve: Solve
) -> tuple[TradeOff, ...]:
    """Return what each split limit from 0 to *most* would come to, as far as a higher one changes anything."""
    found: list[TradeOff] = []
    for limit in range(most + 1):
        limited = policy.model_copy(update={"max_splits": limit, "by_value": ()})
        now = figures(situation, attempt(limited, situation, holds, solve).routing)
        found.append(TradeOff(max_splits=limit, figures=now))
        if now.missing == 0 and now.splits < limit:
            break
    return tuple(found)
