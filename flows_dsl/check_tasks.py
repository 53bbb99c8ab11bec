"""Checks single tasks by their kind: durations, timeouts, event filters, errors, retries."""

from datetime import timedelta

from flows_dsl import model, parts
from flows_dsl.check_expressions import RESERVED, ExpressionCheck
from flows_dsl.durations import NotDuration, duration, iso_days
from flows_dsl.expressions import unwrap
from flows_dsl.findings import did_you_mean, escape
from flows_dsl.notes import Notes
from orderloom.domain.model import Json, JsonObject

ERROR_FIELDS = ("code", "detail", "instance", "status", "title", "type")
_TIMED = (
    model.DoTask,
    model.ForTask,
    model.ForkTask,
    model.ListenTask,
    model.RunTask,
    model.TryTask,
    model.WaitTask,
)
_SINGULAR = {"errors": "error", "retries": "retry", "timeouts": "timeout"}


class TaskCheck:
    """Checks the tasks of one document."""

    def __init__(self, notes: Notes, expressions: ExpressionCheck, use: model.Use, longest: timedelta) -> None:
        self._notes = notes
        self._expressions = expressions
        self._use = use
        self._longest = longest

    def declared(self) -> None:
        """Check what ``use`` declares."""
        for name, error in self._use.errors.items():
            self._error(f"/use/errors/{escape(name)}", error, ())
        for name, timeout in self._use.timeouts.items():
            self.duration(f"/use/timeouts/{escape(name)}/after", timeout.after, ())
        for name, policy in self._use.retries.items():
            self._policy(f"/use/retries/{escape(name)}", policy, ("error",))

    def common(self, pointer: str, task: model.Task, names: tuple[str, ...]) -> None:
        """Check what every task may have."""
        self._expressions.condition(f"{pointer}/if", task.if_, names)
        self._expressions.transform(pointer, task.input, task.output, task.export, names)
        self.timeout(f"{pointer}/timeout", task.timeout, names)
        if task.timeout is not None and not isinstance(task, _TIMED):
            message = "This kind of task has no timeout."
            remedy = "Actions have their own; put the timeout on a do around it."
            self._notes.add(f"{pointer}/timeout", "unsupported.timeout", message, remedy, key=True)

    def kind(self, pointer: str, task: model.Task, names: tuple[str, ...]) -> None:
        """Check what only a task of its kind has."""
        match task:
            case model.EmitTask():
                self._emit(f"{pointer}/emit/event/with", task.emit.event.with_, names)
            case model.ListenTask():
                self._bounded(pointer, "listen", task.timeout)
            case model.RaiseTask():
                self._raise(f"{pointer}/raise/error", task.raise_.error, names)
            case model.SetTask():
                self._set(f"{pointer}/set", task.set, names)
            case model.SwitchTask():
                for at, (name, case) in enumerate((name, case) for item in task.switch for name, case in item.items()):
                    self._expressions.condition(f"{pointer}/switch/{at}/{escape(name)}/when", case.when, names)
            case model.TryTask():
                self._catch(f"{pointer}/catch", task.catch, names)
            case model.WaitTask():
                self._wait(pointer, task, names)
            case _:
                return

    def timeout(self, pointer: str, timeout: parts.Timeout | str | None, names: tuple[str, ...]) -> None:
        """Check a timeout, or that the one that it names is declared."""
        if isinstance(timeout, str):
            self._declared(pointer, "timeouts", timeout, self._use.timeouts)
        elif timeout is not None:
            self.duration(f"{pointer}/after", timeout.after, names)

    def duration(self, pointer: str, value: Json, names: tuple[str, ...]) -> timedelta | None:
        """Check a duration; return it when it is constant."""
        if types := self._expressions.value(pointer, value, names):
            for inner, type_ in types.items():
                if inner == pointer and type_ not in {"STRING", "DURATION", "DYN", "MAP"} and "MAP<" not in type_:
                    message = f"A duration must be text or an object, but this is {type_}."
                    self._notes.add(pointer, "duration.type", message, "Yield ISO 8601 text such as 'PT15M'.")
            return None
        try:
            return duration(value)
        except NotDuration as error:
            remedy = "Write ISO 8601 such as PT15M, or an object such as {minutes: 15}."
            self._notes.add(pointer, "duration.invalid", f"{error}.", remedy)
            return None

    def _declared(self, pointer: str, group: str, name: str, known: object) -> None:
        names: dict[str, object] = dict(known) if isinstance(known, dict) else {}  # pyright: ignore[reportUnknownArgumentType]
        if name not in names:
            message = f"{name!r} is not declared under use.{group}."
            self._notes.add(pointer, f"use.unknown_{_SINGULAR[group]}", message, did_you_mean(name, names))

    def _set(self, pointer: str, value: JsonObject | str, names: tuple[str, ...]) -> None:
        self._expressions.value(pointer, value, names)
        if isinstance(value, str) and unwrap(value) is None:
            self._notes.add(pointer, "set.literal", "set needs an object or an expression.", "Write ${ } around it.")

    def _emit(self, pointer: str, given: JsonObject, names: tuple[str, ...]) -> None:
        self._expressions.value(pointer, given, names)
        if "type" not in given:
            self._notes.add(pointer, "emit.type", "An event needs a type.", "Add type.")
        elif not isinstance(given["type"], str):
            self._notes.add(f"{pointer}/type", "emit.type", "An event's type is text.", "Write it as text.")
        data = given.get("data", {})
        if not isinstance(data, dict) and not (isinstance(data, str) and unwrap(data) is not None):
            self._notes.add(f"{pointer}/data", "emit.data", "An event's data is an object.", "Name its fields.")
        self._expressions.event_data(f"{pointer}/data", data, str(given.get("type", "")))
        for name in sorted(set(given) - {"type", "data"}):
            message = f"The attribute {name!r} is given by the journal."
            self._notes.add(
                f"{pointer}/{escape(name)}", "emit.attribute", message, "Only type and data are set.", key=True
            )

    def _raise(self, pointer: str, error: JsonObject | str, names: tuple[str, ...]) -> None:
        if isinstance(error, str):
            self._declared(pointer, "errors", error, self._use.errors)
        else:
            self._error(pointer, error, names)

    def _error(self, pointer: str, error: JsonObject, names: tuple[str, ...]) -> None:
        self._expressions.value(pointer, error, names)
        for name in ("type", "status"):
            if name not in error:
                self._notes.add(pointer, "error.missing", f"An error needs a {name}.", f"Add {name}.")
        for name in sorted(set(error) - set(ERROR_FIELDS)):
            message = f"An error has no field {name!r}."
            self._notes.add(
                f"{pointer}/{escape(name)}", "error.unknown", message, did_you_mean(name, ERROR_FIELDS), key=True
            )
        status = error.get("status")
        if isinstance(status, bool | float) or (isinstance(status, str) and unwrap(status) is None):
            self._notes.add(f"{pointer}/status", "error.status", "A status is a whole number.", "Such as 409.")

    def _wait(self, pointer: str, task: model.WaitTask, names: tuple[str, ...]) -> None:
        if self.duration(f"{pointer}/wait", task.wait, names) is None and unwrap(str(task.wait)) is not None:
            self._bounded(pointer, "wait", task.timeout)

    def _bounded(self, pointer: str, kind: str, timeout: parts.Timeout | str | None) -> None:
        """Hold that what may last for ever has a timeout, and not too long a one."""
        most = iso_days(self._longest)
        if timeout is None:
            remedy = f"Add timeout: {{after: …}}, at most {most}."
            self._notes.add(
                f"{pointer}/{kind}", f"{kind}.no_timeout", f"This {kind} may last for ever.", remedy, key=True
            )
            return
        if isinstance(timeout, str):
            timeout = self._use.timeouts.get(timeout)
        try:
            too_long = timeout is not None and duration(timeout.after) > self._longest
        except NotDuration:
            return
        if too_long:
            message = f"The timeout of this {kind} is longer than {most}."
            self._notes.add(f"{pointer}/timeout", "timeout.too_long", message, f"Allow at most {most}.")

    def _catch(self, pointer: str, catch: model.Catch, names: tuple[str, ...]) -> None:
        inner = (*names, catch.as_)
        if catch.as_ in RESERVED:
            message = f"{catch.as_!r} has a meaning of its own."
            self._notes.add(f"{pointer}/as", "catch.reserved", message, "Choose another name, such as error.")
        for name in sorted(catch.errors.with_) if catch.errors else []:
            if name not in ERROR_FIELDS:
                here = f"{pointer}/errors/with/{escape(name)}"
                message = f"An error has no field {name!r}."
                self._notes.add(here, "error.unknown", message, did_you_mean(name, ERROR_FIELDS), key=True)
        self._expressions.value(f"{pointer}/errors/with", catch.errors.with_ if catch.errors else {}, names)
        self._expressions.condition(f"{pointer}/when", catch.when, inner)
        self._expressions.condition(f"{pointer}/exceptWhen", catch.except_when, inner)
        if isinstance(catch.retry, str):
            self._declared(f"{pointer}/retry", "retries", catch.retry, self._use.retries)
        elif catch.retry is not None:
            self._policy(f"{pointer}/retry", catch.retry, inner)

    def _policy(self, pointer: str, policy: parts.RetryPolicy, names: tuple[str, ...]) -> None:
        notes = self._notes
        self._expressions.condition(f"{pointer}/when", policy.when, names)
        self._expressions.condition(f"{pointer}/exceptWhen", policy.except_when, names)
        if policy.delay is not None:
            self.duration(f"{pointer}/delay", policy.delay, names)
        if policy.jitter is not None:
            self._jitter(f"{pointer}/jitter", policy.jitter)
        limit = policy.limit
        if limit is None or not ((limit.attempt and limit.attempt.count) or limit.duration is not None):
            remedy = "Add limit.attempt.count or limit.duration."
            notes.add(pointer, "retry.no_limit", "This retry never gives up.", remedy)
        if limit is not None and limit.duration is not None:
            self._constant(f"{pointer}/limit/duration", limit.duration)
        if limit is not None and limit.attempt is not None and limit.attempt.duration is not None:
            message, remedy = "limit.attempt.duration is not supported.", "Put a timeout on a task in try."
            notes.add(f"{pointer}/limit/attempt/duration", "unsupported.attempt_duration", message, remedy, key=True)
        self._backoff(f"{pointer}/backoff", policy.backoff)

    def _jitter(self, pointer: str, jitter: parts.Jitter) -> None:
        bounds = {"from": jitter.from_, "to": jitter.to}
        for name, value in bounds.items():
            self._constant(f"{pointer}/{name}", value)
        try:
            wrong = duration(jitter.from_) > duration(jitter.to)
        except NotDuration:
            return
        if wrong:
            self._notes.add(f"{pointer}/to", "retry.jitter", "to is less than from.", "Say the least first.")

    def _backoff(self, pointer: str, backoff: parts.Backoff | None) -> None:
        chosen = sorted(backoff.model_fields_set) if backoff else []
        if backoff is not None and len(chosen) != 1:
            message = "Exactly one of constant, linear and exponential is needed."
            self._notes.add(pointer, "retry.backoff", message, "Choose one.")
        for name in chosen:
            settings: JsonObject = getattr(backoff, name) or {}
            known = {"linear": ("increment", "maxDelay"), "exponential": ("factor", "maxDelay")}.get(name, ())
            for field, value in sorted(settings.items()):
                here = f"{pointer}/{name}/{escape(field)}"
                if field not in known:
                    message = f"{name} has no setting {field!r}."
                    self._notes.add(here, "retry.setting", message, did_you_mean(field, known), key=True)
                elif field != "factor":
                    self._constant(here, value)
                elif isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 100:
                    self._notes.add(here, "retry.factor", "A factor is a number from 1 to 100.", "Such as 2.")

    def _constant(self, pointer: str, value: Json) -> None:
        if self.duration(pointer, value, ()) is None and unwrap(str(value)) is not None:
            self._notes.add(
                pointer, "duration.constant", "This duration must be constant.", "Write it as ISO 8601 text."
            )
