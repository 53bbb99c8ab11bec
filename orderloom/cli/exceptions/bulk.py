"""Many process exceptions decided about or changed: which ones, a preview, and doing them one by one."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx
from cyclopts import Parameter

from orderloom.cli.calling_api import ApiUnreachable, ask, client, refuse
from orderloom.cli.exceptions.app import say
from orderloom.cli.json_argument import ArgumentUnreadable
from orderloom.domain.model import Json, JsonObject

_NAMES = ("order", "status", "category", "code", "severity", "priority", "owner", "overdue", "older-than")
_AGE = re.compile(r"^(\d+(?:\.\d+)?)([smhd]?)$")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


@Parameter(name="*")
@dataclass(frozen=True)
class Many:
    """Which exceptions are decided about or changed together, and how fast."""

    where: Annotated[
        tuple[str, ...],
        Parameter(help=f"Which ones, such as code=payment.declined,older-than=2h; of {', '.join(_NAMES)}."),
    ] = ()
    preview: Annotated[bool, Parameter(help="Only say what would be done, and what would be refused.", negative=())] = (
        False
    )
    save: Annotated[
        Path | None, Parameter(help="With --preview: keep what was seen in this file, for `exceptions submit`.")
    ] = None
    rate: Annotated[float, Parameter(help="How many a second at most.")] = 10.0
    by: Annotated[str | None, Parameter(help="Who, for the history.")] = None
    reason: Annotated[str | None, Parameter(help="Why, for the history; nothing of a customer.")] = None

    def said(self) -> JsonObject:
        """Return who it is and why, as far as it was said."""
        return {name: value for name, value in (("by", self.by), ("reason", self.reason)) if value is not None}


NO_MANY = Many()
"""One exception, named by its id."""


def one_or_many(id: str | None, many: Many) -> str | None:
    """
    Return the id of the one that is meant; None: all that `--where` says.

    Raises:
        ArgumentUnreadable: both are given, or neither.
    """
    if (id is None) == (not many.where):
        raise ArgumentUnreadable("Give the id of one exception, or --where for all that are so.")
    return id


def query_of(where: tuple[str, ...]) -> JsonObject:
    """
    Return what ``name=value,…`` asks for, as the API takes it.

    Raises:
        ArgumentUnreadable: a name is unknown, or an age is none.
    """
    found: JsonObject = {}
    for part in ",".join(where).split(",") if where else ():
        name, equals, value = part.strip().partition("=")
        if not equals or name not in _NAMES:
            raise ArgumentUnreadable(f"--where {part}: give name=value, with a name of {', '.join(_NAMES)}.")
        found[name.replace("-", "_")] = _value(name, value)
    return found


def _value(name: str, value: str) -> Json:
    if name == "overdue":
        return value == "true"
    if name != "older-than":
        return value
    if (age := _AGE.match(value)) is None:
        raise ArgumentUnreadable(f"older-than={value}: give a number with s, m, h or d, such as 2h.")
    return float(age[1]) * _UNITS[age[2]]


def do_many(wanted: JsonObject, many: Many, *, as_json: bool, api: str | None) -> None:
    """Show what is *wanted*, a ``decision`` or a ``change``, of all that are meant, and unless that is all, do it."""
    with client(api) as http:
        found = ask(http, "POST", "/v1/exceptions/bulk/preview", json={"where": query_of(many.where), **wanted})
        if many.save is not None:
            many.save.write_text(found["token"], encoding="utf-8")
        if many.preview:
            say(json.dumps(found, indent=2, ensure_ascii=False) if as_json else "\n".join(_previewed(found)))
            return
        refused = [each for each in found["items"] if each["refused"]]
        if not as_json:
            for each in refused:
                say(_refusal(each))
        do(http, found["token"], many.rate, as_json=as_json)


def do(http: httpx.Client, token: str, rate: float, *, as_json: bool) -> None:
    """
    Do what the preview of *token* has shown, and tell of each as it is done.

    Raises:
        ApiUnreachable: the API went away before it was through; the same token goes on where it stopped.
    """
    last: dict[str, Any] = {}
    for number, last in enumerate(_lines(http, token, rate), 1):  # the last one has the sums
        if as_json:
            say(json.dumps(last, ensure_ascii=False))
        elif "outcome" in last:
            why = f": {last['detail']}" if "detail" in last else ""
            say(f"{number:>5}  {last['exception']}  {last['outcome']}{why}")
    if not last.get("done"):
        raise ApiUnreachable(f"The API at {http.base_url} stopped before it was through; do the same again to go on.")
    if not as_json:
        sums = ", ".join(f"{count} {outcome}" for outcome, count in last["outcomes"].items()) or "nothing to do"
        say(f"{sums}; {last['others']} others are meant by the same words now")


def _lines(http: httpx.Client, token: str, rate: float) -> Iterator[dict[str, Any]]:
    body = {"token": token, "rate": rate}
    try:
        with http.stream("POST", "/v1/exceptions/bulk", json=body, timeout=None) as answer:  # as long as it takes
            if answer.is_error:
                refuse(json.loads(answer.read()))
            yield from map(json.loads, answer.iter_lines())
    except httpx.HTTPError:
        return


def _previewed(found: dict[str, Any]) -> Iterator[str]:
    for each in found["items"]:
        yield _refusal(each) if each["refused"] else f"{_named(each)}  {each['does']}"
    more = "; there are more" if found["more"] else ""
    yield f"{found['would']} would be done, {found['refused']} refused{more}; nothing was changed"


def _refusal(each: dict[str, Any]) -> str:
    return f"{_named(each)}  refused: {each['refused']['code']}: {each['refused']['detail']}"


def _named(each: dict[str, Any]) -> str:
    return f"{each['exception']}  {each['code']}  {each['flow'] or '-'} {each['task'] or ''}".rstrip()
