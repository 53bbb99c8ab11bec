"""`exceptions`: what went wrong and waits for a person, and what the person decides. It speaks to the API."""

import json
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import httpx
from cyclopts import App, Parameter

from orderloom.bootstrap.clock import Clock
from orderloom.cli.json_argument import ArgumentUnreadable, read_json
from orderloom.domain.errors import OrderloomError
from orderloom.domain.model import JsonObject
from orderloom.persistence.ids import uuid7
from orderloom.readmodels.exceptions import CompensationView, ExceptionView
from orderloom.settings import Settings

exceptions_app = App(name="exceptions", help="What went wrong and waits for a person.")


class ApiUnreachable(OrderloomError):
    """No API of Orderloom answers there.

    Start one with `orderloom up` or `orderloom api`, or name another with --api.
    """

    code = "api.unreachable"
    status = 503


TIMEOUT = 30.0
"""Seconds that the API may take."""
PAGE = 200

Api = Annotated[str | None, Parameter(help="URL of the API. [default: the one on this machine]")]
AsJson = Annotated[bool, Parameter(name="--json", help="Print JSON, as the API answers.", negative=())]
Key = Annotated[str | None, Parameter(help="Idempotency key; give the same one to repeat what was not answered.")]


@exceptions_app.command(name="list")
def show_all(*, order: str | None = None, as_json: AsJson = False, api: Api = None) -> None:
    """
    List the open process exceptions, oldest first.

    Parameters
    ----------
    order: str
        Only those of the order with this id.
    """
    with client(api) as http:
        found = list(_pages(http, {"order": order} if order else {}))
    if as_json:
        _print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for view in map(ExceptionView.model_validate, found):
        _print(_line(view))
    if not found:
        _print("no exception is open")


@exceptions_app.command
def show(id: str, *, as_json: AsJson = False, api: Api = None) -> None:
    """
    Show a process exception: what failed, where, and what can be decided about it.

    Parameters
    ----------
    id: str
        Its id, such as 100001-X1.
    """
    view = _read(id, api)
    _print(view.model_dump_json(indent=2) if as_json else "\n".join(_shown(view)))


@exceptions_app.command
def retry(id: str, *, input: str | None = None, key: Key = None, as_json: AsJson = False, api: Api = None) -> None:
    """
    Let the flow try the task again.

    Parameters
    ----------
    id: str
        The exception's id.
    input: str
        JSON, or @FILE: the action's arguments, or the task's input, instead of those that failed.
    """
    _decide(id, {"kind": "retry", **_object("input", input)}, key=key, as_json=as_json, api=api)


@exceptions_app.command
def skip(id: str, *, output: str, key: Key = None, as_json: AsJson = False, api: Api = None) -> None:
    """
    Let the flow go on as if the task had returned an output; `null` where it returns nothing.

    Parameters
    ----------
    id: str
        The exception's id.
    output: str
        JSON, or @FILE.
    """
    _decide(id, {"kind": "skip", "output": read_json("--output", output)}, key=key, as_json=as_json, api=api)


@exceptions_app.command
def goto(
    id: str, task: str, *, input: str | None = None, key: Key = None, as_json: AsJson = False, api: Api = None
) -> None:
    """
    Let the flow go on at another task of the same list, or of one around it.

    Parameters
    ----------
    id: str
        The exception's id.
    task: str
        The task's name.
    input: str
        JSON, or @FILE: what the task is handed, instead of what the failed one or its block was.
    """
    _decide(id, {"kind": "goto", "task": task, **_object("input", input)}, key=key, as_json=as_json, api=api)


@exceptions_app.command
def compensate(
    id: str,
    *,
    preview: Annotated[bool, Parameter(help="Only list what would be undone, and what cannot.", negative=())] = False,
    key: Key = None,
    as_json: AsJson = False,
    api: Api = None,
) -> None:
    """
    Undo all that the flow has done, the latest call first, and end it.

    Parameters
    ----------
    id: str
        The exception's id.
    """
    if not preview:
        _decide(id, {"kind": "compensate"}, key=key, as_json=as_json, api=api)
        return
    view = _read(id, api)
    planned = view.waiting.compensations if view.waiting else ()
    if as_json:
        _print(json.dumps([each.model_dump() for each in planned], indent=2, ensure_ascii=False))
        return
    _print("\n".join(_planned(planned)) or "nothing is to be undone")


@exceptions_app.command
def resolve(id: str, *, key: Key = None, as_json: AsJson = False, api: Api = None) -> None:
    """
    Say that it needs no more attention; a flow that waits ends where it is, and nothing is undone.

    Parameters
    ----------
    id: str
        The exception's id.
    """
    _decide(id, {"kind": "resolved"}, key=key, as_json=as_json, api=api)


def _object(option: str, given: str | None) -> JsonObject:
    if given is None:
        return {}
    value = read_json(f"--{option}", given)
    if not isinstance(value, dict):
        raise ArgumentUnreadable(f"--{option} is no JSON object.")
    return {option: value}


def client(api: str | None) -> httpx.Client:
    """Return a client of the API at *api*, by default of the one on this machine."""
    settings = Settings()
    host = "127.0.0.1" if settings.host == "0.0.0.0" else settings.host  # noqa: S104  # where a server listens
    return httpx.Client(base_url=api or f"http://{host}:{settings.api_port}", timeout=TIMEOUT)


def ask(http: httpx.Client, method: str, path: str, **more: Any) -> Any:
    """Return what the API answers; a refusal is told on stderr, and the exit status is 1."""
    try:
        answer = http.request(method, path, **more)
        body: Any = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise ApiUnreachable(f"The API does not answer at {http.base_url}: {error}.") from error
    if answer.is_error:
        _refuse(body)
    return body


def _refuse(problem: dict[str, Any]) -> None:
    sys.stderr.write(f"refused: {problem['code']}: {problem['detail']}\n")
    for field in problem.get("errors", ()):
        sys.stderr.write(f"  {field['pointer']}: {field['detail']}\n")
    if tasks := problem.get("facts", {}).get("tasks"):
        sys.stderr.write(f"  tasks: {', '.join(tasks)}\n")
    sys.stderr.write(f"{problem['remedy']}\n")
    sys.exit(1)


def _pages(http: httpx.Client, query: dict[str, str]) -> Iterator[Any]:
    page = ask(http, "GET", "/v1/exceptions", params={**query, "limit": str(PAGE)})
    yield from page["items"]
    while page["next"] is not None:
        page = ask(http, "GET", page["next"])
        yield from page["items"]


def _read(id: str, api: str | None) -> ExceptionView:
    with client(api) as http:
        return ExceptionView.model_validate(ask(http, "GET", f"/v1/exceptions/{id}"))


def _decide(id: str, decision: JsonObject, *, key: str | None, as_json: bool, api: str | None) -> None:
    headers = {"Idempotency-Key": key or f"cli-{uuid7(Clock().now())}"}
    with client(api) as http:
        body = ask(http, "POST", f"/v1/exceptions/{id}/resolve", json=decision, headers=headers)
    if as_json:
        _print(json.dumps(body, indent=2, ensure_ascii=False))
    elif body["status"] == "accepted":
        _print(f"{id}: {decision['kind']} is on record, as number {body['receipt']['seq']} of order {body['order']}")
    else:
        _print(
            f"{id}: {decision['kind']} is taken in and will be done: {body['links']['self']} tells what became of it"
        )


def _line(view: ExceptionView) -> str:
    where = f"{view.flow or '-'} {view.task or ''}".rstrip()
    return f"{view.id}  {view.created_at:%Y-%m-%d %H:%M}  {view.category}  {view.code}  {where}"


def _shown(view: ExceptionView) -> Iterator[str]:
    yield f"{view.id}  {view.status}  {view.category}  {view.code}"
    yield f"  {view.detail}"
    facts = {
        "order": view.order,
        "flow": f"{view.flow} ({view.flow_hash})" if view.flow_hash else view.flow,
        "task": view.task or ("the flow itself" if view.waiting else None),
        "action": view.waiting.action if view.waiting else None,
        "input": json.dumps(view.input, ensure_ascii=False) if view.instance else None,
        "attempts": view.attempts,
        "since": view.created_at.isoformat(),
        "decided": json.dumps(view.decision, ensure_ascii=False) if view.decision else None,
    }
    yield from (f"  {name:<9} {value}" for name, value in facts.items() if value is not None)
    if view.result is not None:
        yield "  what became of it:"
        yield from (f"    {each.task}  {each.action}  {each.outcome}" for each in view.result.calls)
    elif view.ended_at is None:
        yield from _possible(view)


def _possible(view: ExceptionView) -> Iterator[str]:
    waiting = view.waiting
    if waiting is None:
        yield "  no flow waits: resolve it once it is put right"
    elif waiting.undoing:
        yield "  undoing a call failed: retry it, skip it with --output null, or resolve to stop here"
    else:
        yield f"  retry, skip, resolve, or goto one of: {', '.join(waiting.within)}"
        yield f"  compensate would undo, of {waiting.calls} calls:"
        yield from (f"    {line}" for line in _planned(waiting.compensations))


def _planned(planned: tuple[CompensationView, ...]) -> Iterator[str]:
    for each in planned:
        how = f"undone by {each.undone_by}" if each.undone_by else f"stays: {each.reason}"
        yield f"{each.task}  {each.action}  {how}"


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
