"""Names in a scenario: which are used without being given, and the prefix that keeps cases apart in one database."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from orderloom.domain.model import Frozen, Json
from orderloom.scenarios.case import Case
from orderloom.scenarios.steps import Place, Step
from orderloom.scenarios.stock_steps import places_of


class Namespace(Frozen):
    """
    The prefix of a case's ids of channels, locations, groups, SKUs and flows.

    It keeps the order of names, so that every tie is broken as it would be without it.
    """

    prefix: str

    def inside(self, name: str) -> str:
        """Return the id in the database of the scenario's *name*."""
        return f"{self.prefix}.{name}"

    def outside(self, id: str) -> str:
        """Return the scenario's name of *id*; an id of another kind is returned as it is."""
        return id.removeprefix(f"{self.prefix}.")

    def strip(self, value: Json) -> Json:
        """Return *value* with the prefix taken off every text and key in it."""
        if isinstance(value, str):
            return self.outside(value)
        if isinstance(value, list):
            return [self.strip(item) for item in value]
        if isinstance(value, dict):
            return {self.outside(key): self.strip(item) for key, item in value.items()}
        return value


def placed_names(place: Place) -> list[str]:
    """Return the names of the orders that a step places."""
    name = place.as_ or place.order
    return [name] if place.count == 1 else [f"{name}-{number}" for number in range(1, place.count + 1)]


def name_problems(case: Case) -> list[str]:
    """Return one line for each name that a step uses and nothing gives."""
    placed: dict[str, str] = {}
    problems: list[str] = []
    for step, place in zip(case.steps, case.places, strict=True):
        problems += [f"{place}: {problem}" for problem in _step_problems(case, step, placed)]
        if step.place is not None and step.place.order in case.orders:
            placed |= dict.fromkeys(placed_names(step.place), step.place.order)
    return problems


def _step_problems(case: Case, step: Step, placed: dict[str, str]) -> Iterator[str]:
    if step.place is not None:
        yield from _unknown("order", [step.place.order], case.orders)
        if step.place.order not in case.orders:
            return
        twice = [name for name in placed_names(step.place) if name in placed]
        yield from (f"order {name!r} is placed twice; give it another name with 'as'" for name in twice)
    about_orders = (step.cancel, step.return_, step.report, step.work, step.route, step.reschedule, step.abandon)
    for part in (*about_orders, step.resolve, step.attend):
        if part is not None:
            yield from _unknown("placed order", [part.order], placed)
    for change in (step.cancel, step.return_):
        if change is not None and change.order in placed:
            yield from _unknown("line", change.items, case.orders[placed[change.order]].lines)
    yield from _unknown("location", step.restock or (), case.world.locations)
    if step.work is not None and step.work.move is not None:
        yield from _unknown("location", [step.work.move], case.world.locations)
    if step.stock_step is not None:
        places = [*case.world.locations, *(case.world.groups or ["all"])]
        yield from _unknown("location or group", places_of(step.stock_step), places)
    if step.expect is not None:
        yield from _unknown("placed order", step.expect.orders, placed)
        yield from _unknown("location", [*step.expect.stock, *step.expect.capacity], case.world.locations)
        yield from _unknown("group", step.expect.groups, case.world.groups or ["all"])


def _unknown(kind: str, used: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    names = list(known)
    for name in used:
        if name not in names:
            near = get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(sorted(names)) or 'none'}"
            yield f"{kind} {name!r} is not known; {hint}"
