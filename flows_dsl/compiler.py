"""Compiles a checked document once per process: expressions, jumps and loops are settled before anything runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from json import loads

from flows_dsl import model, parts
from flows_dsl.canonical import canonical_json
from flows_dsl.compiled import (
    CONTINUE,
    DIRECTIVES,
    Assign,
    Block,
    Body,
    Call,
    Case,
    CompiledFlow,
    CompiledList,
    CompiledTask,
    Correlation,
    Emit,
    EventMatch,
    For,
    ForEach,
    Fork,
    Listen,
    Loop,
    Raise,
    RunFlow,
    Switch,
    Try,
    Wait,
)
from flows_dsl.durations import LONGEST, duration
from flows_dsl.expressions import Condition, Language, Template, unwrap, wrap
from flows_dsl.findings import escape
from flows_dsl.loader import document as load_document
from flows_dsl.resolved import digest, label, resolve
from flows_dsl.retries import policy_of, retry_loop, retry_of_call
from flows_dsl.runner import Retry
from flows_dsl.schemas import schema_of
from orderloom.domain.model import Json

type Items = Sequence[Mapping[str, model.Task | model.BrokenTask]]


def compile_flow(document: model.FlowDocument, flows: Sequence[model.FlowDocument] = ()) -> CompiledFlow:
    """
    Return *document*, which must have passed the check, ready to run. The same document is compiled once.

    Args:
        document: the flow.
        flows: where the flows are that it runs.

    Raises:
        ExpressionRefused, NotDuration, NotImplementedError: it was not checked.
    """
    return compile_text(canonical_json(resolve(document, flows=flows)))


@lru_cache(maxsize=512)
def compile_text(text: str) -> CompiledFlow:
    """Return the flow whose resolved form is *text*, in canonical JSON, ready to run."""
    value = loads(text)
    hash = digest(value)
    inner = {name: compile_text(canonical_json(each)) for name, each in value.pop("flows", {}).items()}
    return _Compiler(load_document(value), hash, inner).flow()


def starting_types(document: model.FlowDocument) -> tuple[str, ...]:
    """Return the event types that start an instance of *document*."""
    on = document.schedule.on if document.schedule else None
    filters = ([on.one] if on.one else on.any or on.all or []) if on else []
    return tuple(dict.fromkeys(str(it.with_["type"]) for it in filters))


def listens(items: Items) -> bool:
    """Return whether any of the tasks, at any depth, may wait for an event."""
    return any(
        isinstance(task, model.ListenTask | model.RunTask) or any(map(listens, blocks(task))) for task in _each(items)
    )


def blocks(task: model.Task | model.BrokenTask) -> list[Items]:
    """Return the lists of tasks inside *task*."""
    match task:
        case model.DoTask():
            return [task.do]
        case model.TryTask():
            return [task.try_, *([task.catch.do] if task.catch.do else [])]
        case model.ForTask():
            return [task.do]
        case model.ForkTask():
            return [task.fork.branches]
        case model.ListenTask():
            return [task.foreach.do] if task.foreach and task.foreach.do else []
        case _:
            return []


def targets(task: model.Task | model.BrokenTask) -> list[str]:
    """Return where *task* may go next, as its author wrote it."""
    if isinstance(task, model.BrokenTask):
        return []
    cases = [case.then for item in task.switch for case in item.values()] if isinstance(task, model.SwitchTask) else []
    return [*cases, task.then or CONTINUE]


def _each(items: Items) -> list[model.Task | model.BrokenTask]:
    return [task for item in items for task in item.values()]


def loops(path: str, items: Items, depth: int = 0) -> list[Loop]:
    """Return the stretches of a list that jumps backward repeat and that listen, overlapping ones made one."""
    index = {name: at for at, item in enumerate(items) for name in item}
    spans = sorted(
        (index[target], at)
        for at, task in enumerate(_each(items))
        for target in targets(task)
        if target not in DIRECTIVES and index.get(target, at + 1) <= at
    )
    merged: list[tuple[int, int]] = []
    for first, last in spans:
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return [Loop(path, first, last, depth) for first, last in merged if listens(items[first : last + 1])]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a task or list stands: its short path, its JSON pointer, the variables of catches, the loops around."""

    path: str
    reference: str
    names: tuple[str, ...] = ()
    loops: tuple[Loop, ...] = ()
    depth: int = 0
    """How many ``for`` and ``foreach`` stand around it."""

    def inner(self, part: str, *more: str, deeper: int = 0) -> "_Place":
        names = tuple(sorted({*self.names, *more})) if more else self.names
        path, reference = f"{self.path}/{part}", f"{self.reference}/{part}"
        return _Place(path, reference, names, self.loops, self.depth + deeper)


class _Compiler:
    def __init__(self, document: model.FlowDocument, hash: str, inner: Mapping[str, CompiledFlow]) -> None:
        self._document = document
        self._hash = hash
        self._inner = inner
        self._language: Language = document.evaluate.language
        self._lists: dict[str, CompiledList] = {}

    def flow(self) -> CompiledFlow:
        """Return the whole flow."""
        document = self._document
        head = document.document
        self._list(_Place("/do", "/do"), document.do)
        return CompiledFlow(
            name=head.name,
            version=head.version,
            hash=self._hash,
            language=self._language,
            concurrency=head.metadata.concurrency,
            starts_on=starting_types(document),
            lists=self._lists,
            descriptor={"document": {"namespace": head.namespace, "name": head.name, "version": head.version}},
            input_from=self._template(document.input.from_ if document.input else None),
            output_as=self._template(document.output.as_ if document.output else None),
            input_schema=schema_of(document.input),
            output_schema=schema_of(document.output),
            timeout=self._timeout(document.timeout),
            inner=self._inner,
            starts_with=self._starts_with(document.schedule),
            collects_for=LONGEST if head.metadata.collects_for is None else duration(head.metadata.collects_for),
        )

    def _starts_with(self, schedule: model.Schedule | None) -> tuple[EventMatch, ...]:
        all_ = schedule.on.all if schedule and schedule.on else None
        return tuple(self._filter(it, ()) for it in all_ or ())

    def _list(self, place: _Place, items: Items) -> None:
        around = loops(place.path, items, place.depth)
        tasks: list[CompiledTask] = []
        for at, (name, task) in enumerate((name, task) for item in items for name, task in item.items()):
            path = f"{place.path}/{at}"
            mine = (*place.loops, *(loop for loop in around if loop.holds(path)))
            here = _Place(path, f"{place.reference}/{at}/{escape(name)}", place.names, mine, place.depth)
            tasks.append(self._task(name, task, here))
        index = {task.name: at for at, task in enumerate(tasks)}
        self._lists[place.path] = CompiledList(place.path, tuple(tasks), index)

    def _task(self, name: str, task: model.Task | model.BrokenTask, place: _Place) -> CompiledTask:
        if isinstance(task, model.BrokenTask):
            raise NotImplementedError(place.reference)
        names = place.names
        return CompiledTask(
            name=name,
            path=place.path,
            reference=place.reference,
            body=self._body(task, place),
            condition=self._condition(task.if_, names),
            input_from=self._template(task.input.from_ if task.input else None, names),
            output_as=self._template(task.output.as_ if task.output else None, names),
            export_as=self._template(task.export.as_ if task.export else None, names),
            input_schema=schema_of(task.input),
            output_schema=schema_of(task.output),
            export_schema=schema_of(task.export),
            timeout=self._timeout(task.timeout, names),
            then=task.then or CONTINUE,
            loops=place.loops,
        )

    def _body(self, task: model.Task, place: _Place) -> Body:
        match task:
            case model.DoTask() | model.ForkTask():
                return self._block(task, place)
            case model.TryTask():
                return self._try(task, place)
            case model.ForTask():
                return self._for(task, place)
            case model.ListenTask():
                return self._listen(task, place)
            case model.SwitchTask():
                given = [case for item in task.switch for case in item.values()]
                cases = sorted(given, key=lambda it: it.when is None)  # the default is taken when no other one holds
                return Switch(tuple(Case(self._condition(case.when, place.names), case.then) for case in cases))
            case _:
                return self._simple(task, place)

    def _block(self, task: model.DoTask | model.ForkTask, place: _Place) -> Body:
        if isinstance(task, model.DoTask):
            self._list(place.inner("do"), task.do)
            return Block(f"{place.path}/do")
        self._list(place.inner("fork/branches"), task.fork.branches)
        return Fork(f"{place.path}/fork/branches", task.fork.compete)

    def _simple(self, task: model.Task, place: _Place) -> Body:
        names = place.names
        match task:
            case model.CallTask():
                return Call(task.call, self._value(task.with_, names))
            case model.EmitTask():
                given = task.emit.event.with_
                return Emit(self._value(given["type"], names), self._value(given.get("data", {}), names))
            case model.RaiseTask():
                error = task.raise_.error
                return Raise(self._value(self._document.use.errors[error] if isinstance(error, str) else error, names))
            case model.RunTask():
                return self._run(task, place)
            case model.SetTask():
                return Assign(self._value(task.set, names))
            case model.WaitTask():
                return Wait(self._value(task.wait, names))
            case _:
                raise NotImplementedError(place.reference)

    def _try(self, task: model.TryTask, place: _Place) -> Try:
        catch = task.catch
        handler = place.inner("catch/do", catch.as_)
        names = handler.names
        policy = policy_of(catch.retry, self._document.use.retries)
        of_call = retry_of_call(task, policy)
        self._list(place.inner("try"), task.try_)
        if of_call:
            self._retry_call(f"{place.path}/try", of_call)
        if catch.do:
            self._list(handler, catch.do)
        wanted = catch.errors.with_ if catch.errors else {}
        return Try(
            path=f"{place.path}/try",
            filter=tuple((name, self._value(value, place.names)) for name, value in sorted(wanted.items())),
            variable=catch.as_,
            when=self._condition(catch.when, names),
            except_when=self._condition(catch.except_when, names),
            retry=retry_loop(policy, self._language, names) if policy and not of_call else None,
            handler=f"{place.path}/catch/do" if catch.do else None,
        )

    def _retry_call(self, path: str, retry: Retry) -> None:
        compiled = self._lists[path]
        [task] = compiled.tasks
        assert isinstance(task.body, Call)
        again = Call(task.body.action, task.body.arguments, retry)
        changed = replace(task, body=again)
        self._lists[path] = CompiledList(path, (changed,), compiled.index)

    def _for(self, task: model.ForTask, place: _Place) -> For:
        body = place.inner("do", task.for_.each, task.for_.at, deeper=1)
        self._list(body, task.do)
        return For(
            path=body.path,
            each=task.for_.each,
            at=task.for_.at,
            items=self._value(wrap(task.for_.in_), place.names),
            condition=self._condition(task.while_, body.names),
        )

    def _run(self, task: model.RunTask, place: _Place) -> RunFlow:
        wanted = task.run.workflow
        if wanted is None:
            raise NotImplementedError(place.reference)
        given = "${ input }" if self._language == "cel" else "${ . }"
        return RunFlow(
            flow=label(wanted.namespace, wanted.name, wanted.version),
            input=self._value(given if wanted.input is None else wanted.input, place.names),
            wait=task.run.await_,
        )

    def _listen(self, task: model.ListenTask, place: _Place) -> Listen:
        to, names = task.listen.to, place.names
        listen = self._strategy(to, names, envelope=task.listen.read != "data")
        foreach = self._foreach(task.foreach, place) if task.foreach else None
        condition = to.until if isinstance(to.until, str) else None
        return replace(
            listen,
            repeats=to.until is not None,
            until=self._condition(condition, (*names, "events")),
            ends=self._strategy(to.until, names) if isinstance(to.until, parts.Listen) else None,
            foreach=foreach,
        )

    def _foreach(self, each: model.ForEachEvent, place: _Place) -> ForEach:
        body = place.inner("foreach/do", each.item, each.at, deeper=1)
        if each.do:
            self._list(body, each.do)
        return ForEach(
            path=body.path if each.do else None,
            item=each.item,
            at=each.at,
            output_as=self._template(each.output.as_ if each.output else None, place.names),
            export_as=self._template(each.export.as_ if each.export else None, place.names),
            output_schema=schema_of(each.output),
            export_schema=schema_of(each.export),
        )

    def _strategy(self, to: parts.Listen, names: tuple[str, ...], *, envelope: bool = False) -> Listen:
        if to.all is not None:
            return Listen("all", tuple(self._filter(it, names) for it in to.all), envelope)
        if to.any is not None:
            return Listen("any", tuple(self._filter(it, names) for it in to.any), envelope)
        assert to.one is not None
        return Listen("one", (self._filter(to.one, names),), envelope)

    def _filter(self, wanted: parts.EventFilter, names: tuple[str, ...]) -> EventMatch:
        given = dict(wanted.with_)
        type_, data = str(given.pop("type")), given.pop("data", None)
        condition = isinstance(data, str) and unwrap(data) is not None
        seen = (*names, "data", "event")
        return EventMatch(
            type=type_,
            attributes=tuple(sorted((name, str(value)) for name, value in given.items())),
            condition=Condition(str(data), self._language, seen) if condition else None,
            data=None if data is None or condition else self._value(data, names),
            correlations=tuple(
                Correlation(name, self._value(wrap(it.from_), seen), self._template(it.expect, names))
                for name, it in sorted((wanted.correlate or {}).items())
            ),
        )

    def _value(self, value: Json, names: tuple[str, ...]) -> Template:
        return Template(value, self._language, names)

    def _template(self, value: Json, names: tuple[str, ...] = ()) -> Template | None:
        return None if value is None else self._value(value, names)

    def _condition(self, text: str | None, names: tuple[str, ...]) -> Condition | None:
        return None if text is None else Condition(text, self._language, names)

    def _timeout(self, timeout: parts.Timeout | str | None, names: tuple[str, ...] = ()) -> Template | None:
        if isinstance(timeout, str):
            timeout = self._document.use.timeouts[timeout]
        return None if timeout is None else self._value(timeout.after, names)
