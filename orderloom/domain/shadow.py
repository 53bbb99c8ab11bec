"""A draft policy tried on attempts that were made: what it would have come to, one by one and in all."""

from dataclasses import dataclass, field

from pydantic import AwareDatetime

from orderloom.domain.eligibility import Holds
from orderloom.domain.model import Frozen
from orderloom.domain.parts import Routing
from orderloom.domain.rejections import Rejection, score
from orderloom.domain.route_figures import COMPARED, Change, Figures, changes, figures
from orderloom.domain.router import Solve, attempt
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.domain.situation import Situation


class PastAttempt(Frozen):
    """A routing attempt as it was stored: what it saw, the policy it followed, and what it came to."""

    order: str
    number: int
    at: AwareDatetime
    policy: str
    """``name:version``."""
    policy_hash: str | None = None
    """Of what the policy said; None of attempts that did not keep it."""
    situation: Situation
    routing: Routing
    rejections: tuple[Rejection, ...] = ()
    """What locations had turned down by then of what waited, as far as it may count."""

    def seen_by(self, policy: RoutingPolicy) -> Situation:
        """Return the situation as *policy* would have seen it: it weighs rejections itself, if it looks at them."""
        if not policy.looks_at_rejections:
            return self.situation
        now, half_life = self.situation.now, policy.rejections_half_life
        locations = tuple(
            each.model_copy(
                update={
                    "rejections": score((one for one in self.rejections if one.location == each.id), now, half_life)
                }
            )
            for each in self.situation.locations
        )
        return self.situation.model_copy(update={"locations": locations})

    def followed(self, policy: RoutingPolicy) -> bool:
        """Return whether it was this policy that the attempt followed, under this name."""
        return self.policy == policy.label and self.policy_hash in {None, policy.hash}


class Shadowed(Frozen):
    """One attempt under both policies."""

    order: str
    attempt: int
    at: AwareDatetime
    active: Figures
    draft: Figures
    changes: tuple[Change, ...]

    @property
    def differs(self) -> bool:
        """Return whether the draft sends otherwise: other locations, another outcome, other figures."""
        return bool(self.changes) or (self.active.outcome, sorted(self.active.locations)) != (
            self.draft.outcome,
            sorted(self.draft.locations),
        )


class Total(Frozen):
    """A figure, summed over all attempts that both policies route in full or in part."""

    figure: str
    active: float
    draft: float


class Totals(Frozen):
    """What all attempts came to."""

    attempts: int
    differ: int
    routed: Total
    """Attempts that were routed, in full or in part."""
    compared: int
    """Attempts that both policies send something of: the totals are over these."""
    totals: tuple[Total, ...]


def shadow(active: RoutingPolicy, draft: RoutingPolicy, past: PastAttempt, holds: Holds, solve: Solve) -> Shadowed:
    """
    Return what *draft* would have come to on what the attempt saw, beside the *active* policy.

    An attempt that followed the active policy is taken as it was; one that followed another is tried with it anew.
    """
    was = past.routing if past.followed(active) else attempt(active, past.seen_by(active), holds, solve).routing
    would = attempt(draft, past.seen_by(draft), holds, solve).routing
    before, after = figures(past.situation, was), figures(past.situation, would)
    return Shadowed(
        order=past.order,
        attempt=past.number,
        at=past.at,
        active=before,
        draft=after,
        changes=changes(before, after),
    )


@dataclass
class Tally:
    """Sums attempts up as they come."""

    attempts: int = 0
    differ: int = 0
    routed: tuple[int, int] = (0, 0)
    compared: int = 0
    _active: dict[str, float] = field(default_factory=lambda: dict.fromkeys(COMPARED, 0.0))
    _draft: dict[str, float] = field(default_factory=lambda: dict.fromkeys(COMPARED, 0.0))

    def add(self, one: Shadowed) -> None:
        """Count one more."""
        self.attempts += 1
        self.differ += one.differs
        sends = one.active.units > 0, one.draft.units > 0
        self.routed = (self.routed[0] + sends[0], self.routed[1] + sends[1])
        if not all(sends):
            return
        self.compared += 1
        for name in COMPARED:
            self._active[name] += getattr(one.active, name)
            self._draft[name] += getattr(one.draft, name)

    def totals(self) -> Totals:
        """Return the sums so far."""
        return Totals(
            attempts=self.attempts,
            differ=self.differ,
            routed=Total(figure="routed", active=self.routed[0], draft=self.routed[1]),
            compared=self.compared,
            totals=tuple(
                Total(figure=name, active=round(self._active[name], 1), draft=round(self._draft[name], 1))
                for name in COMPARED
            ),
        )
