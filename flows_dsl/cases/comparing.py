"""Compares what a flow did with what a case expects, and shows where the two part."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from flows_dsl.canonical import canonical_json
from flows_dsl.cases.model import Expect, ExpectedCall, ExpectedEvent, ExpectedFault, ExpectedWait
from flows_dsl.cases.naming import error_type, named
from flows_dsl.compiled import CompiledTask, same
from flows_dsl.desk import Called, Completed, Emitted, Ended, Endless, Faulted, Passed, Played, Waited, Waiting
from flows_dsl.durations import duration
from flows_dsl.problems import as_variable
from orderloom.domain.model import JsonObject

_UNITS = (("D", 86_400), ("H", 3_600), ("M", 60))


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as expected: lines that begin with ``-`` were expected, with ``+`` happened."""

    what: str
    lines: tuple[str, ...]


def compare(expect: Expect, played: Played) -> Iterator[Difference]:
    """Yield every difference between what was expected and what was done."""
    if expect.path is not None:
        yield from _lists("path", expect.path, played.tasks, _fits_task, str, _task)
    if expect.calls is not None:
        yield from _lists("calls", expect.calls, played.calls, _fits_call, _expected_call, _call)
    if expect.emits is not None:
        yield from _lists("emits", expect.emits, played.emits, _fits_event, _expected_event, _event)
    if expect.waits is not None:
        yield from _lists("waits", expect.waits, played.waits, _fits_wait, _expected_wait, _wait)
    if expect.takes is not None and duration(expect.takes) != played.took:
        yield Difference("takes", (f"- {shown(duration(expect.takes))}", f"+ {shown(played.took)}"))
    if not _fits_end(expect, played.ended):
        yield Difference("outcome", (f"- {_expected_end(expect)}", f"+ {ending(played.ended)}"))


def shown(value: timedelta) -> str:
    """Return *value* as ISO 8601, in the largest units."""
    seconds = value.total_seconds()
    days, clock = "", ""
    for unit, size in _UNITS:
        amount, seconds = divmod(seconds, size)
        part = f"{amount:.0f}{unit}" if amount else ""
        days, clock = (part, clock) if unit == "D" else (days, clock + part)
    clock += f"{seconds:g}S" if seconds or not (days or clock) else ""
    return f"P{days}" + (f"T{clock}" if clock else "")


def ending(ended: Ended) -> str:
    """Return in one line how a flow ended."""
    match ended:
        case Completed(output):
            return f"completed with {canonical_json(output)}"
        case Faulted(problem):
            return f"faulted with {problem.type} at {problem.instance or 'the flow'}: {problem.detail}"
        case Waiting(types, tasks):
            return f"waiting for {', '.join(types)} in {', '.join(tasks)}"
        case Endless():
            return "going on for ever"


def _lists[E, A](  # noqa: PLR0917  # two lists, and how to compare and show them
    what: str,
    expected: Sequence[E],
    actual: Sequence[A],
    fits: Callable[[E, A], bool],
    show_expected: Callable[[E], str],
    show_actual: Callable[[A], str],
) -> Iterator[Difference]:
    """Yield the difference of two lists, with what they have in common, unless all fits."""
    if len(expected) == len(actual) and all(map(fits, expected, actual)):
        return
    lines: list[str] = []
    at, now = 0, 0
    common = _common(expected, actual, fits)
    while at < len(expected) or now < len(actual):
        if at < len(expected) and now < len(actual) and fits(expected[at], actual[now]):
            lines.append(f"  {show_actual(actual[now])}")
            at, now = at + 1, now + 1
        elif now >= len(actual) or (at < len(expected) and common[at + 1][now] >= common[at][now + 1]):
            lines.append(f"- {show_expected(expected[at])}")
            at += 1
        else:
            lines.append(f"+ {show_actual(actual[now])}")
            now += 1
    yield Difference(what, tuple(lines))


def _common[E, A](expected: Sequence[E], actual: Sequence[A], fits: Callable[[E, A], bool]) -> list[list[int]]:
    """Return, for each pair of positions, how much the rests of the two lists have in common."""
    table = [[0] * (len(actual) + 1) for _ in range(len(expected) + 1)]
    for at in reversed(range(len(expected))):
        for now in reversed(range(len(actual))):
            fit = fits(expected[at], actual[now])
            table[at][now] = table[at + 1][now + 1] + 1 if fit else max(table[at + 1][now], table[at][now + 1])
    return table


def _fits_task(name: str, passed: Passed) -> bool:
    return named(passed.task, name)


def _task(passed: Passed) -> str:
    return passed.task.name


def _at(task: CompiledTask, name: str | None) -> bool:
    return name is None or named(task, name)


def _values(exact: JsonObject | None, some: JsonObject | None, actual: JsonObject) -> bool:
    return (exact is None or canonical_json(exact) == canonical_json(actual)) and (some is None or same(some, actual))


def _fits_call(call: ExpectedCall, called: Called) -> bool:
    return (
        call.action == called.name
        and _at(called.task, call.task)
        and _values(call.with_, call.having, called.arguments)
    )


def _expected_call(call: ExpectedCall) -> str:
    return _words(call.action, _shape(call.with_, call.having), call.task and f"by {call.task}")


def _call(called: Called) -> str:
    return _words(called.name, canonical_json(called.arguments), f"by {called.task.name}")


def _fits_event(event: ExpectedEvent, emitted: Emitted) -> bool:
    return event.type == emitted.type and _values(event.with_, event.having, emitted.data)


def _expected_event(event: ExpectedEvent) -> str:
    return _words(event.type, _shape(event.with_, event.having))


def _event(emitted: Emitted) -> str:
    return _words(emitted.type, canonical_json(emitted.data))


def _fits_wait(wait: ExpectedWait, waited: Waited) -> bool:
    return duration(wait.for_) == waited.duration and _at(waited.task, wait.task)


def _expected_wait(wait: ExpectedWait) -> str:
    return _words(shown(duration(wait.for_)), wait.task and f"in {wait.task}")


def _wait(waited: Waited) -> str:
    return _words(shown(waited.duration), f"in {waited.task.name}")


def _shape(exact: JsonObject | None, some: JsonObject | None) -> str | None:
    if exact is not None:
        return canonical_json(exact)
    return None if some is None else f"having {canonical_json(some)}"


def _words(*words: str | None) -> str:
    return " ".join(word for word in words if word)


def _fits_end(expect: Expect, ended: Ended) -> bool:
    match ended:
        case Completed(output) if expect.faulted is None and expect.waiting_for is None:
            return "output" not in expect.model_fields_set or canonical_json(expect.output) == canonical_json(output)
        case Faulted() if expect.faulted is not None:
            return _fits_fault(expect.faulted, ended)
        case Waiting(types) if expect.waiting_for is not None:
            return sorted(expect.waiting_for) == list(types)
        case _:
            return False


def _fits_fault(fault: ExpectedFault, ended: Faulted) -> bool:
    problem = ended.problem
    at = (problem.instance or "").rpartition("/")[2].replace("~1", "/").replace("~0", "~")
    return (
        error_type(fault.type) == problem.type
        and (fault.task is None or at == fault.task.rpartition("/")[2])
        and (fault.having is None or same(fault.having, as_variable(problem)))
    )


def _expected_end(expect: Expect) -> str:
    if expect.faulted is not None:
        fault = expect.faulted
        at = fault.task and f"at {fault.task}"
        return _words("faulted with", error_type(fault.type), at, _shape(None, fault.having))
    if expect.waiting_for is not None:
        return f"waiting for {', '.join(sorted(expect.waiting_for))}"
    return f"completed with {canonical_json(expect.output)}" if "output" in expect.model_fields_set else "completed"
