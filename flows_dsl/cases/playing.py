"""Runs a case at the desk, and compares what happened with what was expected."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import ValidationError

from flows_dsl.cases.checking import faults_of
from flows_dsl.cases.comparing import Difference, compare
from flows_dsl.cases.header import header
from flows_dsl.cases.model import Case, CaseFile, Reply
from flows_dsl.cases.naming import error_type, named
from flows_dsl.compiled import CompiledFlow
from flows_dsl.desk import Arrival, Called, Played, play
from flows_dsl.desk import Reply as Answer
from flows_dsl.durations import duration
from flows_dsl.outside_calls import OUTSIDE_CALLS
from flows_dsl.resolved import Catalog, by_name
from flows_dsl.runner import FlowFailure, Resolution
from orderloom.contracts.actions import CORE_ACTIONS, ActionContract
from orderloom.contracts.messages import Event
from orderloom.domain.errors import Problem
from orderloom.domain.model import Frozen, JsonObject

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
"""When every case starts."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of a case."""

    case: Case
    played: Played
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        """Return whether all was as expected."""
        return not self.differences


def play_case(flow: CompiledFlow, file: CaseFile, case: Case, catalog: Catalog = CORE_ACTIONS) -> Result:
    """Run *case*, which was checked, and compare."""
    script = _Script(file, case, catalog)
    played = play(
        flow,
        _start(flow, file, case),
        script.answer,
        order=header(file.order, case.order),
        arrivals=[_arrival(at, case) for at in range(len(case.events))],
        decisions=[Resolution.model_validate(it.model_dump(exclude_unset=True)) for it in case.operator],
    )
    return Result(case=case, played=played, differences=(*script.troubles, *compare(case.expect, played)))


def _start(flow: CompiledFlow, file: CaseFile, case: Case) -> Event:
    given = case.start or file.start
    type, id, data = (given.type, given.id, given.data) if given else (flow.starts_on[0], "100001:1", {})
    return Event(seq=1, id=id, source="orderloom", type=type, time=START, data=data)


def _arrival(at: int, case: Case) -> Arrival:
    coming = case.events[at]
    id, source = coming.id or f"event:{at + 1}", "orderloom"
    event = Event(seq=0, id=id, source=source, type=coming.type, time=START, data=coming.data)
    return Arrival(event, duration(coming.after), coming.order)


class _Script:
    """Answers the actions as the case says."""

    def __init__(self, file: CaseFile, case: Case, catalog: Catalog) -> None:
        self._tasks = {**file.tasks, **case.tasks}
        self._actions = {**file.actions, **case.actions}
        self._contracts = {**by_name(catalog), **OUTSIDE_CALLS}
        self._counts = Counter[str]()
        self.troubles: list[Difference] = []

    def answer(self, called: Called) -> Answer:
        contract = self._contracts[called.action]
        try:
            contract.input.model_validate(called.arguments)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = "".join(f"/{part}" for part in first["loc"])
            self._trouble(called, f"its contract refuses {where or 'the arguments'}: {first['msg']}")
        reply = self._reply(called)
        if reply is None:
            self._trouble(called, "the case does not say what it answers; add it under actions or tasks")
            return Answer(failure=_failure("cases.unanswered", "The case has no answer.", 500, called.name, {}))
        return _answer(reply, contract)

    def _reply(self, called: Called) -> Reply | None:
        task = next((name for name in self._tasks if named(called.task, name)), None)
        replies = self._tasks[task] if task is not None else self._actions.get(called.name)
        if replies is None:
            return None
        key = f"task {task}" if task is not None else called.name
        self._counts[key] += 1
        return nth_of(replies, self._counts[key])

    def _trouble(self, called: Called, what: str) -> None:
        self.troubles.append(Difference(f"call of {called.name} by {called.task.name}", (f"! {what}",)))


def nth_of(replies: Sequence[Reply], number: int) -> Reply | None:
    """Return the reply to call *number*, from 1: the one that names it, else the next of the others, or their last."""
    named_numbers = {it.nth for it in replies if it.nth is not None}
    for reply in replies:
        if reply.nth == number:
            return reply
    others = [it for it in replies if it.nth is None]
    at = sum(1 for earlier in range(1, number) if earlier not in named_numbers)
    return others[min(at, len(others) - 1)] if others else None


def _answer(reply: Reply, contract: ActionContract[Frozen, Frozen]) -> Answer:
    takes = duration(reply.takes or "PT0S")
    if reply.fault is not None:
        error = faults_of(contract)[reply.fault]
        failure = _failure(error.code, error.title(), error.status, reply.detail or error.title(), reply.facts)
        return Answer(failure=failure, order=reply.order, takes=takes)
    output = contract.output.model_validate(reply.returns or {}).model_dump(mode="json")
    return Answer(output=output, order=reply.order, takes=takes)


def _failure(code: str, title: str, status: int, detail: str, facts: JsonObject) -> FlowFailure:
    return FlowFailure(
        Problem.model_validate(
            {
                "type": error_type(code),
                "title": title,
                "status": status,
                "detail": detail,
                "code": code,
                "remedy": "",
                "facts": facts,
            }
        )
    )
