"""Previews of routing: what an order's route would be now, or would have been, if something were otherwise."""

import asyncio
import json
from collections.abc import Mapping
from time import monotonic
from typing import Annotated

from pydantic import AwareDatetime, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from api.dependencies import MAX_NUMBER
from flows_dsl.policies import holds, read_policy
from orderloom.domain.eligibility import Fate
from orderloom.domain.errors import FieldProblem, InvalidInput, NotFound
from orderloom.domain.model import Frozen, Identifier, JsonObject
from orderloom.domain.order import OrderMoved
from orderloom.domain.parts import Routing
from orderloom.domain.route_figures import Change, Figures, changes, figures
from orderloom.domain.router import attempt
from orderloom.domain.routing import RoutingAnswer, RoutingQuestion
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.domain.situation import Situation
from orderloom.domain.solver import find_routes
from orderloom.domain.what_if import TradeOff, trade_off, with_other_stock
from orderloom.persistence.policies import policy_named
from orderloom.readmodels.attempts import attempt_of
from orderloom.readmodels.situation import Looker, situation_of

Units = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]


class PreviewRouting(Frozen):
    """What is to be otherwise; nothing: how the order would be routed as it is."""

    policy: Annotated[
        str | JsonObject | None,
        Field(description="A published policy as `name` or `name:version`, or a policy itself; else the order's own."),
    ] = None
    stock: Annotated[
        dict[Identifier, dict[Identifier, Units]],
        Field(max_length=1_000, description="What would be available, by location and SKU."),
    ] = {}
    without: Annotated[
        tuple[Identifier, ...], Field(max_length=1_000, description="Locations that would send nothing.")
    ] = ()
    attempt: Annotated[
        int | None,
        Field(
            strict=True,
            ge=1,
            le=MAX_NUMBER,
            description="Of what this routing attempt saw, instead of what there is now.",
        ),
    ] = None
    trade_off: Annotated[
        int | None, Field(strict=True, ge=0, le=10, description="Also try every split limit from 0 to this.")
    ] = None


class RoutingPreview(Frozen):
    """What the route would be, beside what the order's own policy makes of things as they are. Nothing was changed."""

    order: str
    at: AwareDatetime
    """The moment of what was looked at."""
    policy: str
    routing: Routing
    """The route of each part, alternatives behind it."""
    fates: tuple[tuple[Fate, ...], ...]
    """By part: each location, whether it may send something, and else which rule keeps it out."""
    figures: Figures
    own_policy: str
    own: Figures
    """As the order would be routed if nothing were otherwise."""
    changes: tuple[Change, ...]
    """Figures that differ from those."""
    differs: bool
    """It would be sent from other locations, or comes to something else."""
    trade_off: tuple[TradeOff, ...] = ()
    """What each split limit would come to; ends where a higher one changes nothing."""


async def preview_routing(conn: AsyncConnection, looker: Looker, wanted: PreviewRouting) -> RoutingPreview:
    """
    Return what the route would be, without a lock and without writing.

    Raises:
        OrderMoved: nothing of the order waits for a location.
        NotFound, PolicyUnknown: there is no such attempt or policy.
        InvalidInput: the policy has findings, or stock is of a location that the order is not routed from.
    """
    order = looker.order
    own = order.policy.routing
    policy = await _policy(conn, wanted.policy) or own
    situation = await _situation(conn, looker, wanted.attempt)
    seen = situation if policy == own else await _situation(conn, looker.by(policy), wanted.attempt)
    other = with_other_stock(seen, wanted.stock, wanted.without)
    return await asyncio.to_thread(_preview, order.id, own, policy, (situation, other), wanted.trade_off)


def _preview(
    order: str, own: RoutingPolicy, policy: RoutingPolicy, seen: tuple[Situation, Situation], most: int | None
) -> RoutingPreview:
    """Search; in a thread of its own, for it takes as long as the solver may."""
    now, other = seen
    as_it_is = figures(now, attempt(own, now, holds, solve).routing)
    would = attempt(policy, other, holds, solve)
    found = figures(other, would.routing)
    return RoutingPreview(
        order=order,
        at=now.now,
        policy=policy.label,
        routing=would.routing,
        fates=would.fates,
        figures=found,
        own_policy=own.label,
        own=as_it_is,
        changes=changes(as_it_is, found),
        differs=_sent(as_it_is) != _sent(found),
        trade_off=() if most is None else trade_off(policy, other, most, holds, solve),
    )


def solve(question: RoutingQuestion) -> RoutingAnswer:
    """Answer a question within its time."""
    began = monotonic()
    return find_routes(question, lambda: monotonic() - began)


def _sent(found: Figures) -> tuple[str, list[str], int]:
    return found.outcome, sorted(found.locations), found.units


async def _situation(conn: AsyncConnection, looker: Looker, number: int | None) -> Situation:
    order = looker.order.id
    if number is not None:
        past = await attempt_of(conn, order, number)
        if past is None:
            raise NotFound(f"order {order} has no routing attempt {number} that can be tried again", attempt=number)
        return past.situation
    situation = await situation_of(looker)
    if situation is None:
        raise OrderMoved(f"order {order} has nothing that waits for a location")
    return situation


async def _policy(conn: AsyncConnection, wanted: str | Mapping[str, object] | None) -> RoutingPolicy | None:
    if wanted is None:
        return None
    if isinstance(wanted, str):
        return await policy_named(conn, wanted)
    policy, findings = read_policy(json.dumps(wanted))
    if policy is None:
        errors = tuple(
            FieldProblem(pointer="/policy", detail=f"{each.message} {each.remedy}".strip(), code=each.code)
            for each in findings
        )
        raise InvalidInput(errors[0].detail, errors=errors)
    return policy
