"""`orderloom flows run`: a flow in this process, without a server and without an order."""

import json
import sys
from pathlib import Path
from typing import Annotated, NoReturn

from cyclopts import Parameter
from pydantic import TypeAdapter, ValidationError

from flows_dsl.check import check_loaded
from flows_dsl.compiler import compile_flow
from flows_dsl.findings import FlowRefused, errors
from flows_dsl.loader import load
from flows_dsl.runner import TaskEventKind
from orderloom.cli.flows.app import flows_app
from orderloom.cli.flows.files import Unreadable, beside, text_of
from orderloom.cli.flows.local import Uncaught, run_locally
from orderloom.cli.running import until_stopped
from orderloom.contracts.messages import Event
from orderloom.domain.errors import InvalidInput, OrderloomError, Problem
from orderloom.domain.model import Json, JsonObject

_JSON: TypeAdapter[Json] = TypeAdapter(Json)

ONLY_OF_ORDERS = frozenset({"schedule.missing"})
"""Findings that keep a flow from orders, and not from running here."""


class FileUnreadable(OrderloomError):
    """A file that was named cannot be read.

    Check its name and its permissions.
    """

    code = "file.unreadable"
    status = 422


@flows_app.command
def run(
    file: Path,
    *,
    input: Annotated[str, Parameter(help="The input: JSON, or @ and the name of a file that holds it.")] = "{}",
    events: Annotated[Path | None, Parameter(help="Events that the flow may listen for: a JSON object a line.")] = None,
    allow: Annotated[
        tuple[str, ...], Parameter(help="A host that call: http may call beside loopback: host or host:port.")
    ] = (),
    trace: Annotated[bool, Parameter(help="Tell on stderr what becomes of each task, a JSON object a line.")] = False,
) -> None:
    """
    Run a flow here, in real time, and print its output as JSON.

    It runs without a server and without an order, so it can call no core action. `call: http` reaches
    loopback and the hosts that --allow names, and nothing else. Flows that it runs are looked for in
    its directory. An error is told on stderr, its problem details in the last line, with exit status 1.
    """
    try:
        given = _given(input)
        heard = _events(events)
        loaded = load(_text(file))
        flows = beside(file)
        findings = [it for it in errors(check_loaded(loaded, flows=flows)) if it.code not in ONLY_OF_ORDERS]
        if loaded.document is None or findings:
            for finding in findings:
                print(f"{file}:{finding}", file=sys.stderr)  # noqa: T201
            raise FlowRefused(file.name, findings)
        flow = compile_flow(loaded.document, flows)
    except OrderloomError as error:
        _fail(error.problem())

    async def work() -> None:
        try:
            output = await run_locally(flow, given, events=heard, allowed=allow, observe=_trace if trace else None)
        except Uncaught as error:
            _fail(error.problem)
        print(json.dumps(output, ensure_ascii=False))  # noqa: T201

    until_stopped(work)


def _trace(task: str, reference: str, event: TaskEventKind) -> None:
    del reference
    print(json.dumps({"task": task, "event": event}, ensure_ascii=False), file=sys.stderr, flush=True)  # noqa: T201


def _fail(problem: Problem) -> NoReturn:
    print(problem.model_dump_json(exclude_none=True), file=sys.stderr)  # noqa: T201
    sys.exit(1)


def _text(file: Path) -> str:
    try:
        return text_of(file)
    except Unreadable as error:
        raise FileUnreadable(f"{file}: {error.finding.message}", file=str(file)) from None


def _given(text: str) -> Json:
    try:
        return _JSON.validate_json(_text(Path(text[1:])) if text.startswith("@") else text)
    except ValidationError as error:
        raise InvalidInput(f"The input is no JSON: {error.errors()[0]['msg']}.") from None


def _events(file: Path | None) -> list[Event]:
    """Return the events in *file*; of a CloudEvent only its type has to be given."""
    found: list[Event] = []
    for number, line in enumerate(_text(file).splitlines() if file is not None else [], 1):
        if not line.strip():
            continue
        try:
            given = _JSON.validate_json(line)
            fields = given if isinstance(given, dict) else {}
            start: JsonObject = {"id": str(number), "source": "local", "time": "1970-01-01T00:00:00Z", "data": {}}
            found.append(Event.model_validate(start | fields | {"seq": number}))
        except ValidationError as error:
            raise InvalidInput(f"{file}, line {number}, holds no event: {error.errors()[0]['msg']}.") from None
    return found
