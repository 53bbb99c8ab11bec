"""`exceptions triage`, `assign` and their like: what a person changes of an exception beside deciding about it."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from orderloom.cli.calling_api import Api, AsJson, Key, client
from orderloom.cli.exceptions.app import exceptions_app, send
from orderloom.cli.exceptions.bulk import do
from orderloom.cli.flows.store import operator
from orderloom.domain.model import JsonObject

By = Annotated[str | None, Parameter(help="Who, for the history. [default: your user name]")]
Reason = Annotated[str, Parameter(help="Why, for the history; nothing of a customer.")]


def _change(
    id: str,
    what: JsonObject,
    said: str,
    *,
    by: str | None,
    reason: str,
    key: str | None,
    as_json: bool,
    api: str | None,
) -> None:
    body: JsonObject = {**what, "by": by or operator(), "reason": reason}
    send(id, "change", body, said, key=key, as_json=as_json, api=api)


@exceptions_app.command
def triage(
    id: str, *, by: By = None, reason: Reason = "", key: Key = None, as_json: AsJson = False, api: Api = None
) -> None:
    """
    Say that somebody has seen it; one that was paused or ignored is active again.

    Parameters
    ----------
    id: str
        The exception's id.
    """
    _change(id, {"status": "triaged"}, "triage", by=by, reason=reason, key=key, as_json=as_json, api=api)


@exceptions_app.command
def pause(
    id: str, *, by: By = None, reason: Reason = "", key: Key = None, as_json: AsJson = False, api: Api = None
) -> None:
    """
    Put it off: it does not count as active, and its deadline does not run, until it is triaged.

    Parameters
    ----------
    id: str
        The exception's id.
    """
    _change(id, {"status": "paused"}, "pause", by=by, reason=reason, key=key, as_json=as_json, api=api)


@exceptions_app.command
def ignore(
    id: str, *, by: By = None, reason: Reason = "", key: Key = None, as_json: AsJson = False, api: Api = None
) -> None:
    """
    Leave it: it does not count as active, and the same is not raised again.

    Parameters
    ----------
    id: str
        The exception's id.
    """
    _change(id, {"status": "ignored"}, "ignore", by=by, reason=reason, key=key, as_json=as_json, api=api)


@exceptions_app.command
def void(
    id: str, *, by: By = None, reason: Reason = "", key: Key = None, as_json: AsJson = False, api: Api = None
) -> None:
    """
    Say that it never was one. Not while a flow waits at it.

    Parameters
    ----------
    id: str
        The exception's id.
    """
    _change(id, {"status": "voided"}, "void", by=by, reason=reason, key=key, as_json=as_json, api=api)


@exceptions_app.command
def assign(
    id: str,
    owner: str,
    *,
    by: By = None,
    reason: Reason = "",
    key: Key = None,
    as_json: AsJson = False,
    api: Api = None,
) -> None:
    """
    Say who sees to it.

    Parameters
    ----------
    id: str
        The exception's id.
    owner: str
        A user name or a team.
    """
    _change(id, {"owner": owner}, f"{owner} as owner", by=by, reason=reason, key=key, as_json=as_json, api=api)


@exceptions_app.command
def unassign(
    id: str, *, by: By = None, reason: Reason = "", key: Key = None, as_json: AsJson = False, api: Api = None
) -> None:
    """
    Say that nobody in particular sees to it.

    Parameters
    ----------
    id: str
        The exception's id.
    """
    _change(id, {"owner": None}, "no owner", by=by, reason=reason, key=key, as_json=as_json, api=api)


@exceptions_app.command
def deadline(
    id: str,
    at: datetime,
    *,
    by: By = None,
    reason: Reason = "",
    key: Key = None,
    as_json: AsJson = False,
    api: Api = None,
) -> None:
    """
    Say when it must be settled; one that has passed raises its priority.

    Parameters
    ----------
    id: str
        The exception's id.
    at: datetime
        Such as 2026-03-02T09:00; of this machine's time zone.
    """
    when = at.astimezone().isoformat()
    _change(id, {"deadline": when}, f"deadline {when}", by=by, reason=reason, key=key, as_json=as_json, api=api)


@exceptions_app.command
def submit(
    file: Path,
    *,
    rate: Annotated[float, Parameter(help="How many a second at most.")] = 10.0,
    as_json: AsJson = False,
    api: Api = None,
) -> None:
    """
    Decide about all that a preview has seen. Interrupted, do the same again: what was decided is not decided twice.

    Parameters
    ----------
    file: Path
        What `--preview --save FILE` has kept.
    """
    with client(api) as http:
        do(http, file.read_text(encoding="utf-8").strip(), rate, as_json=as_json)
