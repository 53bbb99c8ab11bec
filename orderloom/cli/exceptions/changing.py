"""`exceptions triage`, `assign` and their like: what a person changes beside deciding, of one or of many at once."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from orderloom.cli.calling_api import Api, AsJson, Key, client
from orderloom.cli.exceptions.app import exceptions_app, send
from orderloom.cli.exceptions.bulk import NO_MANY, Many, do, do_many, one_or_many
from orderloom.cli.flows.store import operator
from orderloom.cli.json_argument import ArgumentUnreadable
from orderloom.cli.moments import moment
from orderloom.domain.exception_status import Severity
from orderloom.domain.model import JsonObject


@exceptions_app.command
def triage(
    id: str | None = None,
    *,
    severity: Annotated[Severity | None, Parameter(help="How bad it is.")] = None,
    priority: Annotated[Severity | None, Parameter(help="How soon it is to be seen to.")] = None,
    many: Many = NO_MANY,
    key: Key = None,
    as_json: AsJson = False,
    api: Api = None,
) -> None:
    """
    Say that somebody has seen it, and how urgent it is; one that was paused or ignored is active again.

    Parameters
    ----------
    id: str
        The exception's id; without it, `--where` says which ones.
    """
    rated = {name: value for name, value in (("severity", severity), ("priority", priority)) if value is not None}
    _change(id, {"status": "triaged", **rated}, "triage", many=many, key=key, as_json=as_json, api=api)


@exceptions_app.command
def pause(
    id: str | None = None, *, many: Many = NO_MANY, key: Key = None, as_json: AsJson = False, api: Api = None
) -> None:
    """
    Put it off: it does not count as active, and its deadline does not run, until it is triaged.

    Parameters
    ----------
    id: str
        The exception's id; without it, `--where` says which ones.
    """
    _change(id, {"status": "paused"}, "pause", many=many, key=key, as_json=as_json, api=api)


@exceptions_app.command
def ignore(
    id: str | None = None, *, many: Many = NO_MANY, key: Key = None, as_json: AsJson = False, api: Api = None
) -> None:
    """
    Leave it: it does not count as active, and the same is not raised again.

    Parameters
    ----------
    id: str
        The exception's id; without it, `--where` says which ones.
    """
    _change(id, {"status": "ignored"}, "ignore", many=many, key=key, as_json=as_json, api=api)


@exceptions_app.command
def void(
    id: str | None = None, *, many: Many = NO_MANY, key: Key = None, as_json: AsJson = False, api: Api = None
) -> None:
    """
    Say that it never was one. Not while a flow waits at it.

    Parameters
    ----------
    id: str
        The exception's id; without it, `--where` says which ones.
    """
    _change(id, {"status": "voided"}, "void", many=many, key=key, as_json=as_json, api=api)


@exceptions_app.command
def assign(
    id: str,
    owner: str | None = None,
    *,
    many: Many = NO_MANY,
    key: Key = None,
    as_json: AsJson = False,
    api: Api = None,
) -> None:
    """
    Say who sees to it.

    Parameters
    ----------
    id: str
        The exception's id; left out with `--where`.
    owner: str
        A user name or a team.
    """
    one, name = _last(id, owner, many)
    _change(one, {"owner": name}, f"{name} as owner", many=many, key=key, as_json=as_json, api=api)


@exceptions_app.command
def unassign(
    id: str | None = None, *, many: Many = NO_MANY, key: Key = None, as_json: AsJson = False, api: Api = None
) -> None:
    """
    Say that nobody in particular sees to it.

    Parameters
    ----------
    id: str
        The exception's id; without it, `--where` says which ones.
    """
    _change(id, {"owner": None}, "no owner", many=many, key=key, as_json=as_json, api=api)


@exceptions_app.command
def deadline(
    id: str,
    at: str | None = None,
    *,
    many: Many = NO_MANY,
    key: Key = None,
    as_json: AsJson = False,
    api: Api = None,
) -> None:
    """
    Say when it must be settled; one that has passed raises its priority.

    Parameters
    ----------
    id: str
        The exception's id; left out with `--where`.
    at: str
        Such as 2026-03-02T09:00; of this machine's time zone.
    """
    one, given = _last(id, at, many)
    try:
        when = moment(given).isoformat()
    except ValueError:
        raise ArgumentUnreadable(f"{given} is no date and time from 1900 to 2199, such as 2026-03-02T09:00.") from None
    _change(one, {"deadline": when}, f"deadline {when}", many=many, key=key, as_json=as_json, api=api)


def _last(id: str, value: str | None, many: Many) -> tuple[str | None, str]:
    """Return the exception that is meant and what is said of it; with `--where` only the latter is given."""
    one, said = (None, id) if many.where and value is None else (id, value)
    if said is None:
        raise ArgumentUnreadable(f"Say what is to be changed of {id}.")
    return one, said


def _change(
    id: str | None, what: JsonObject, said: str, *, many: Many, key: str | None, as_json: bool, api: str | None
) -> None:
    change: JsonObject = {**what, "by": operator(), **many.said()}
    if (one := one_or_many(id, many)) is None:
        do_many({"change": change}, many, as_json=as_json, api=api)
        return
    send(one, "change", change, said, key=key, as_json=as_json, api=api)


@exceptions_app.command
def submit(
    file: Path,
    *,
    rate: Annotated[float, Parameter(help="How many a second at most.")] = 10.0,
    as_json: AsJson = False,
    api: Api = None,
) -> None:
    """
    Do what a preview has shown. Interrupted, do the same again: what was done is not done twice.

    Parameters
    ----------
    file: Path
        What `--preview --save FILE` has kept.
    """
    with client(api) as http:
        do(http, file.read_text(encoding="utf-8").strip(), rate, as_json=as_json)
