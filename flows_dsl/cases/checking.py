"""Checks cases against their flow and against the catalog: names, answers, faults, arguments, the order's header."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from flows_dsl.cases.header import header, valid
from flows_dsl.cases.model import Case, CaseFile, ExpectedCall, Given, Reply
from flows_dsl.cases.naming import all_tasks_of, named, names_of
from flows_dsl.cases.places import Location, Places
from flows_dsl.compiled import Call, CompiledFlow, Listen
from flows_dsl.findings import did_you_mean
from flows_dsl.outside_calls import OUTSIDE_CALLS
from flows_dsl.resolved import Catalog, by_name
from orderloom.contracts.actions import ActionContract
from orderloom.contracts.failing import OF_ANY_ACTION
from orderloom.contracts.header import OrderHeader
from orderloom.domain.errors import OrderloomError
from orderloom.domain.model import Frozen, JsonObject

type Contract = ActionContract[Frozen, Frozen]


def check_cases(places: Places, file: CaseFile, flow: CompiledFlow, catalog: Catalog) -> None:
    """Add to *places* everything that is wrong with the cases in *file*."""
    _Check(places, flow, catalog).file(file)


def faults_of(contract: Contract) -> dict[str, type[OrderloomError]]:
    """Return by code the errors that an action may raise."""
    return {error.code: error for error in (*contract.errors, *OF_ANY_ACTION)}


class _Check:
    def __init__(self, places: Places, flow: CompiledFlow, catalog: Catalog) -> None:
        self._places = places
        self._flow = flow
        actions = {**by_name(catalog), **OUTSIDE_CALLS}
        self._tasks = all_tasks_of(flow)
        self._called: dict[str, list[Contract]] = {}
        self._by_task: dict[str, list[Contract]] = {}
        for task in self._tasks:
            if isinstance(task.body, Call) and (contract := actions.get(task.body.action)) is not None:
                self._called.setdefault(contract.name, []).append(contract)
                self._by_task.setdefault(task.reference, []).append(contract)
        self._listened = {it.type for task in self._tasks if isinstance(task.body, Listen) for it in task.body.filters}

    def file(self, file: CaseFile) -> None:
        self._given((), file, {})
        names: set[str] = set()
        for at, case in enumerate(file.cases):
            if case.case in names:
                message = f"Another case is called {case.case!r} too."
                self._places.add(("cases", at, "case"), "cases.same_name", message, "Say what this one shows.")
            names.add(case.case)
            self._case(("cases", at), case, file.order)

    def _case(self, here: Location, case: Case, order: JsonObject) -> None:
        self._given(here, case, order)
        for at, event in enumerate(case.events):
            self._header((*here, "events", at, "order"), event.order)
            if event.type not in self._listened:
                message = f"{self._flow.label} does not listen to {event.type!r}."
                remedy = did_you_mean(event.type, self._listened)
                self._places.add((*here, "events", at, "type"), "cases.unheard", message, remedy)
        self._expected((*here, "expect"), case)

    def _given(self, here: Location, given: Given, around: JsonObject) -> None:
        self._header((*here, "order"), given.order, around)
        if given.start is not None and given.start.type not in self._flow.starts_on:
            message = f"{given.start.type!r} does not start {self._flow.label}."
            remedy = did_you_mean(given.start.type, self._flow.starts_on)
            self._places.add((*here, "start", "type"), "cases.start", message, remedy)
        for name, replies in given.actions.items():
            at = (*here, "actions", name)
            contracts = self._called.get(name)
            if contracts is None:
                message = f"{self._flow.label} does not call {name!r}."
                self._places.add(at, "cases.unknown_action", message, did_you_mean(name, self._called), key=True)
            self._replies(at, replies, contracts or [])
        for name, replies in given.tasks.items():
            at = (*here, "tasks", name)
            self._replies(at, replies, self._task(at, name, calls=True))

    def _header(self, here: Location, changes: JsonObject, around: JsonObject | None = None) -> None:
        found = list(_unknown(OrderHeader, changes, here))
        for location, name, known in found:
            message = f"The order's header has no {name!r}."
            self._places.add(location, "cases.unknown_field", message, did_you_mean(name, known), key=True)
        if found:
            return
        try:
            valid(header(around or {}, changes))
        except ValidationError as error:
            self._invalid(here, error, OrderHeader, "The order's header")

    def _task(self, here: Location, name: str, *, calls: bool = False) -> list[Contract]:
        """Return the contracts of the actions that the task called *name* calls, and tell if there is no such task."""
        meant = [task for task in self._tasks if named(task, name)]
        if calls:
            meant = [task for task in meant if task.reference in self._by_task]
        if not meant:
            known = [task for task in self._tasks if not calls or task.reference in self._by_task]
            what = "task that calls an action" if calls else "task"
            message = f"{self._flow.label} has no {what} {name!r}."
            hint = did_you_mean(name.rpartition("/")[2], {names_of(task)[-1] for task in known})
            self._places.add(here, "cases.unknown_task", message, hint, key=calls)
        return [contract for task in meant for contract in self._by_task.get(task.reference, [])]

    def _replies(self, here: Location, replies: Sequence[Reply], contracts: Sequence[Contract]) -> None:
        for at, reply in enumerate(replies):
            self._header((*here, at, "order"), reply.order)
            for contract in contracts:
                self._reply((*here, at), reply, contract)

    def _reply(self, here: Location, reply: Reply, contract: Contract) -> None:
        if reply.fault is not None:
            known = faults_of(contract)
            if reply.fault not in known:
                message = f"{contract.name} does not raise {reply.fault!r}."
                self._places.add((*here, "fault"), "cases.fault", message, did_you_mean(reply.fault, known))
            return
        try:
            contract.output.model_validate(reply.returns or {})
        except ValidationError as error:
            self._invalid((*here, "returns"), error, contract.output, f"What {contract.name} returns")

    def _expected(self, here: Location, case: Case) -> None:
        expect = case.expect
        for at, name in enumerate(expect.path or ()):
            self._task((*here, "path", at), name)
        for at, call in enumerate(expect.calls or ()):
            self._call((*here, "calls", at), call)
        for at, wait in enumerate(expect.waits or ()):
            if wait.task is not None:
                self._task((*here, "waits", at, "task"), wait.task)
        if expect.faulted is not None and expect.faulted.task is not None:
            self._task((*here, "faulted", "task"), expect.faulted.task)
        for at, type in enumerate(expect.waiting_for or ()):
            if type not in self._listened:
                message = f"{self._flow.label} does not listen to {type!r}."
                hint = did_you_mean(type, self._listened)
                self._places.add((*here, "waiting_for", at), "cases.unheard", message, hint)

    def _call(self, here: Location, call: ExpectedCall) -> None:
        contracts = self._called.get(call.action)
        if contracts is None:
            message = f"{self._flow.label} does not call {call.action!r}."
            self._places.add(
                (*here, "action"), "cases.unknown_action", message, did_you_mean(call.action, self._called)
            )
            return
        if call.task is not None:
            self._task((*here, "task"), call.task)
        for contract in contracts:
            if call.with_ is not None:
                self._arguments((*here, "with"), call.with_, contract, whole=True)
            if call.having is not None:
                self._arguments((*here, "having"), call.having, contract, whole=False)

    def _arguments(self, here: Location, given: JsonObject, contract: Contract, *, whole: bool) -> None:
        try:
            contract.input.model_validate(given)
        except ValidationError as error:
            self._invalid(here, error, contract.input, f"The call of {contract.name}", missing=whole)

    def _invalid(
        self, here: Location, error: ValidationError, model: type[BaseModel], what: str, *, missing: bool = True
    ) -> None:
        for each in error.errors(include_url=False):
            location, name = (*here, *each["loc"]), str(each["loc"][-1]) if each["loc"] else ""
            match each["type"]:
                case "extra_forbidden":
                    hint = did_you_mean(name, model.model_fields)
                    self._places.add(location, "cases.unknown_field", f"{what} has no {name!r}.", hint, key=True)
                case "missing":
                    if missing:
                        self._places.add(here, "cases.missing", f"{what} needs {name!r}.", f"Add {name}.", key=True)
                case _:
                    message = f"{what} has a {name!r} that is not valid."
                    self._places.add(location, "cases.value", message, f"{each['msg'].rstrip('.')}.")


def _unknown(
    model: type[BaseModel], value: Mapping[str, Any], here: Location
) -> Iterator[tuple[Location, str, list[str]]]:
    """Yield every field of *value*, at any depth, that *model* does not have, and those that it has instead."""
    for name, inner in value.items():
        info = model.model_fields.get(name)
        if info is None:
            yield (*here, name), name, list(model.model_fields)
        elif isinstance(inner, dict) and isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _unknown(info.annotation, cast("dict[str, Any]", inner), (*here, name))
