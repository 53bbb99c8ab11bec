"""
Asking gateways between two transactions of one local activity.

When a transaction is committed that has ended where gateways must be asked, they are asked at once: most answer soon,
and then the outcome is recorded in a second transaction of the same activity. An activity holds one of the few workflow
tasks of its worker, so this is for gateways that are quick: none is waited for longer than a moment, one that was not
quick is left alone for a while, and only so many orders ask at one time. Whatever is not settled here the workflow has
asked outside, where it is first asked what became of it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from time import monotonic

import structlog

from activities.phases import settle
from activities.questions import Question
from activities.registry import Entry
from activities.transaction import ActionFailed
from activities.unit import Services
from orderloom.contracts.messages import ActionDone, Ahead, Recorded, SettleAction
from orderloom.contracts.outside import GatewayOutcome, GatewayRequest, Outcome
from orderloom.domain.errors import OrderloomError
from orderloom.gateways.port import PaymentGateway

LIMIT = 1.0
"""Seconds that a gateway has for its answer."""
REST = 10.0
"""Seconds for which a gateway is left alone that had no definite answer within the limit."""

_log = structlog.get_logger(__name__)


class Asking:
    """Asks the gateways of one worker, and settles what they answer (``activities.questions.Ask``)."""

    def __init__(
        self, services: Services, entries: Mapping[str, Entry], gateways: Mapping[str, PaymentGateway], at_once: int
    ) -> None:
        """
        Take the actions, an adapter for each gateway by its name, and how many orders may ask at one time.

        *services* settle, and ask nobody themselves: one activity asks once, for it must come to its end.
        """
        self._services = services
        self._entries = entries
        self._gateways = dict(gateways)
        self._free = at_once
        self._resting: dict[str, float] = {}
        """Until when a gateway is left alone."""

    async def __call__[R: (ActionDone, Recorded)](self, question: Question, done: R) -> R:
        """Return *done* with the action's settling as done ahead, or with its requests as asked if they were."""
        if not self._may_ask(question.requests):
            return done
        outcomes = await self._ask(question.requests)
        done = _with_asked(done, question)
        if any(outcome.outcome is Outcome.UNKNOWN for outcome in outcomes):
            return done
        settled = await self._settle(question, outcomes)
        return done if settled is None else _with_settled(done, settled)

    def _may_ask(self, requests: Sequence[GatewayRequest]) -> bool:
        now, names = monotonic(), {request.gateway for request in requests}
        return self._free > 0 and all(name in self._gateways and self._resting.get(name, now) <= now for name in names)

    async def _ask(self, requests: Sequence[GatewayRequest]) -> list[GatewayOutcome]:
        self._free -= 1
        try:
            return await asyncio.gather(*(self._ask_one(request) for request in requests))
        finally:
            self._free += 1

    async def _ask_one(self, request: GatewayRequest) -> GatewayOutcome:
        outcome = GatewayOutcome(intent_id=request.intent_id, outcome=Outcome.UNKNOWN)
        try:
            async with asyncio.timeout(LIMIT):
                outcome = await self._gateways[request.gateway].perform(request)
        except TimeoutError:
            _log.warning("gateway not quick", gateway=request.gateway, intent=request.intent_id)
        if outcome.outcome is Outcome.UNKNOWN:
            self._resting[request.gateway] = monotonic() + REST
        return outcome

    async def _settle(self, question: Question, outcomes: Sequence[GatewayOutcome]) -> Ahead | None:
        """Record what the gateways have said; None: it could not be, and the workflow's own settling will say so."""
        entry, error = self._entries[question.activity], None
        assert entry.settle is not None
        request = SettleAction(action=question.request, outcomes=list(outcomes))
        try:
            done = await settle(self._services, entry.contract, entry.settle, request)
        except ActionFailed as failed:
            done, error = ActionDone(applied=failed.applied), failed.error.problem()
        except OrderloomError:
            return None
        return Ahead(activity=f"{question.activity}.settle", key=question.request.key, done=done, error=error)


def _with_asked[R: (ActionDone, Recorded)](done: R, question: Question) -> R:
    """Return *done* with the requests of *question*, which may have reached a gateway, as asked."""
    requests = [request.model_copy(update={"asked": True}) for request in question.requests]
    if isinstance(done, ActionDone) and done.requests:
        return done.model_copy(update={"requests": requests})
    assert done.applied is not None
    prepared = f"{question.activity}.prepare", question.request.key
    ahead = [
        each.model_copy(update={"done": each.done.model_copy(update={"requests": requests})})
        if (each.activity, each.key) == prepared
        else each
        for each in done.applied.ahead
    ]
    return done.model_copy(update={"applied": done.applied.model_copy(update={"ahead": ahead})})


def _with_settled[R: (ActionDone, Recorded)](done: R, settled: Ahead) -> R:
    """Return *done* with the settling, and what was done ahead after it, at the end of what was done ahead."""
    assert done.applied is not None
    first, then = done.applied, settled.done.applied
    alone = then.model_copy(update={"ahead": [], "ended": []})
    settled = settled.model_copy(update={"done": settled.done.model_copy(update={"applied": alone})})
    ahead, ended = [*first.ahead, settled, *then.ahead], [*first.ended, *then.ended]
    return done.model_copy(update={"applied": first.model_copy(update={"ahead": ahead, "ended": ended})})
