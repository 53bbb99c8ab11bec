"""`exceptions`: what went wrong and waits for a person, and what the person decides. It speaks to the API."""

import json
from collections.abc import Iterator
from typing import Any

import httpx

from orderloom.cli.calling_api import Api, AsJson, Key, ask, client
from orderloom.cli.exceptions.app import exceptions_app, say, send
from orderloom.cli.exceptions.bulk import NO_MANY, Many, do_many, one_or_many, query_of
from orderloom.cli.exceptions.shown import line, planned, shown
from orderloom.cli.json_argument import ArgumentUnreadable, read_json
from orderloom.domain.model import JsonObject
from orderloom.readmodels.exceptions import ExceptionView

PAGE = 200


@exceptions_app.command(name="list")
def show_all(
    *, order: str | None = None, where: tuple[str, ...] = (), as_json: AsJson = False, api: Api = None
) -> None:
    """
    List process exceptions, those that wait for somebody unless asked otherwise, oldest first.

    Parameters
    ----------
    order: str
        Only those of the order with this id.
    where: str
        Which ones, such as status=all,category=Payment,code=payment.declined,owner=ines,overdue=true,older-than=2h.
    """
    wanted = query_of(where) | ({"order": order} if order else {})
    with client(api) as http:
        found = list(_pages(http, wanted))
    if as_json:
        say(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for view in map(ExceptionView.model_validate, found):
        say(line(view))
    if not found:
        say("no exception is as asked for" if where else "no exception is open")


@exceptions_app.command
def show(id: str, *, as_json: AsJson = False, api: Api = None) -> None:
    """
    Show a process exception: what failed, where, what can be decided about it, and what was changed of it.

    Parameters
    ----------
    id: str
        Its id, such as 100001-X1.
    """
    view = _read(id, api)
    say(view.model_dump_json(indent=2) if as_json else "\n".join(shown(view)))


@exceptions_app.command
def retry(  # each an option of the command
    id: str | None = None,
    *,
    input: str | None = None,
    many: Many = NO_MANY,
    key: Key = None,
    as_json: AsJson = False,
    api: Api = None,
) -> None:
    """
    Let the flow try the task again.

    Parameters
    ----------
    id: str
        The exception's id; without it, `--where` says which ones.
    input: str
        JSON, or @FILE: the action's arguments, or the task's input, instead of those that failed.
    """
    _decide(id, {"kind": "retry", **_object("input", input)}, many=many, key=key, as_json=as_json, api=api)


@exceptions_app.command
def skip(
    id: str | None = None,
    *,
    output: str,
    many: Many = NO_MANY,
    key: Key = None,
    as_json: AsJson = False,
    api: Api = None,
) -> None:
    """
    Let the flow go on as if the task had returned an output; `null` where it returns nothing.

    Parameters
    ----------
    id: str
        The exception's id; without it, `--where` says which ones.
    output: str
        JSON, or @FILE.
    """
    decision: JsonObject = {"kind": "skip", "output": read_json("--output", output)}
    _decide(id, decision, many=many, key=key, as_json=as_json, api=api)


@exceptions_app.command
def goto(
    id: str,
    task: str | None = None,
    *,
    input: str | None = None,
    many: Many = NO_MANY,
    key: Key = None,
    as_json: AsJson = False,
    api: Api = None,
) -> None:
    """
    Let the flow go on at another task of the same list, or of one around it.

    Parameters
    ----------
    id: str
        The exception's id; left out with `--where`.
    task: str
        The task's name.
    input: str
        JSON, or @FILE: what the task is handed, instead of what the failed one or its block was.
    """
    one, name = (None, id) if many.where else (id, task)
    decision: JsonObject = {"kind": "goto", "task": name, **_object("input", input)}
    _decide(one, decision, many=many, key=key, as_json=as_json, api=api)


@exceptions_app.command
def compensate(
    id: str | None = None, *, many: Many = NO_MANY, key: Key = None, as_json: AsJson = False, api: Api = None
) -> None:
    """
    Undo all that the flow has done, the latest call first, and end it.

    Parameters
    ----------
    id: str
        The exception's id; without it, `--where` says which ones.
    """
    if id is None or many.where or not many.preview:
        _decide(id, {"kind": "compensate"}, many=many, key=key, as_json=as_json, api=api)
        return
    view = _read(id, api)
    calls = view.waiting.compensations if view.waiting else ()
    if as_json:
        say(json.dumps([each.model_dump() for each in calls], indent=2, ensure_ascii=False))
        return
    say("\n".join(planned(calls)) or "nothing is to be undone")


@exceptions_app.command
def resolve(
    id: str | None = None, *, many: Many = NO_MANY, key: Key = None, as_json: AsJson = False, api: Api = None
) -> None:
    """
    Say that it needs no more attention; a flow that waits ends where it is, and nothing is undone.

    Parameters
    ----------
    id: str
        The exception's id; without it, `--where` says which ones.
    """
    _decide(id, {"kind": "resolved"}, many=many, key=key, as_json=as_json, api=api)


def _object(option: str, given: str | None) -> JsonObject:
    if given is None:
        return {}
    value = read_json(f"--{option}", given)
    if not isinstance(value, dict):
        raise ArgumentUnreadable(f"--{option} is no JSON object.")
    return {option: value}


def _pages(http: httpx.Client, query: JsonObject) -> Iterator[Any]:
    page = ask(http, "GET", "/v1/exceptions", params={**query, "limit": PAGE})
    yield from page["items"]
    while page["next"] is not None:
        page = ask(http, "GET", page["next"])
        yield from page["items"]


def _read(id: str, api: str | None) -> ExceptionView:
    with client(api) as http:
        return ExceptionView.model_validate(ask(http, "GET", f"/v1/exceptions/{id}"))


def _decide(
    id: str | None, decision: JsonObject, *, many: Many, key: str | None, as_json: bool, api: str | None
) -> None:
    decision = {**decision, **many.said()}
    if (one := one_or_many(id, many)) is None:
        do_many({"decision": decision}, many, as_json=as_json, api=api)
        return
    send(one, "resolve", decision, decision["kind"], key=key, as_json=as_json, api=api)
