"""Routing attempts of an order as a tree, in the words of the scenario format."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import cast

from orderloom.domain.parts import RoutedPart, Routing
from orderloom.domain.routing import Assignment, Short
from orderloom.readmodels.order_documents import RoutingAttemptView
from orderloom.scenarios.compare import Tree
from orderloom.scenarios.durations import since
from orderloom.scenarios.names import Namespace

NOWHERE = "digital"
"""Stands for the location of what leaves none."""


def attempt_tree(attempt: RoutingAttemptView, names: Namespace, start: datetime) -> Tree:
    """Return an attempt: over all its parts together, and each."""
    routing = Routing.model_validate(names.strip(attempt.answer))
    parts = routing.parts
    choosing = [part.answer for part in parts if part.stocked]
    routed = [part for part in parts if part.answer.routes]
    return {
        "outcome": attempt.outcome,
        "chosen": cast("Tree", sorted({each for part in routed for each in part.locations})) if routed else None,
        "plan": _plan(each for part in routed for each in part.plan) if routed else None,
        "routes": [cast("Tree", sorted(route.locations)) for answer in choosing[:1] for route in answer.routes],
        "short": _short(short for part in parts for short in part.answer.short),
        "fewest_possible": choosing[0].fewest_possible if len(choosing) == 1 else None,
        "proven": all(answer.proven for answer in choosing),
        "parts": [_part(part) for part in parts],
        "schedule": attempt.schedule,
        "after": since(start, attempt.at),
    }


def _part(part: RoutedPart) -> Tree:
    return {
        "delivery_group": part.delivery_group,
        "kind": part.kind,
        "outcome": part.answer.outcome.value,
        "chosen": cast("Tree", sorted(part.locations)),
        "plan": _plan(part.plan) if part.plan else None,
        "short": _short(part.answer.short),
    }


def _plan(plan: Iterable[Assignment]) -> Tree:
    """Return location to SKU to quantity."""
    found: dict[str, Counter[str]] = {}
    for each in plan:
        found.setdefault(each.location or NOWHERE, Counter())[each.sku] += each.quantity
    return cast("Tree", {location: dict(skus) for location, skus in found.items()})


def _short(short: Iterable[Short]) -> Tree:
    """Return SKU to quantity."""
    found: Counter[str] = Counter()
    for each in short:
        found[each.sku] += each.quantity
    return cast("Tree", dict(found))
