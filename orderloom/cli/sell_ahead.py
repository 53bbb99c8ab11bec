"""`orderloom sell-ahead`: what may be sold beyond what is available, or before its release."""

import sys
from datetime import datetime
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from orderloom.cli.calling_api import Api, AsJson, Key, ask, client, command
from orderloom.cli.flows.store import operator
from orderloom.cli.listing import print_listing, shown
from orderloom.cli.moments import AS_MOMENT, moment
from orderloom.domain.model import JsonObject

sell_ahead_app = App(name="sell-ahead", help="Backorders and preorders: list, set, remove, changes.")

PAGE = 200
"""Rows that are asked for at once."""

type Channel = Annotated[str | None, Parameter(name="--channel", help="The channel; left out, every one.")]
type Sku = Annotated[str | None, Parameter(name="--sku", help="The SKU; left out, every one.")]
type By = Annotated[str | None, Parameter(name="--by", help="Who, for the history. [default: your user name]")]
type Reason = Annotated[str, Parameter(name="--reason", help="Why, for the history.")]


@sell_ahead_app.command(name="list")
def list_(*, channel: Channel = None, sku: Sku = None, api: Api = None, as_json: AsJson = False) -> None:
    """Show what may be sold ahead, by channel and SKU; - is the default of all that have no policy of their own."""
    found: list[Any] = []
    with client(api) as http:
        page = ask(http, "GET", "/v1/sell-ahead", params=_given(channel=channel, sku=sku, limit=PAGE))
        found += page["items"]
        while page["next"] is not None:
            page = ask(http, "GET", page["next"])
            found += page["items"]
    table = Table("channel", "sku", "backorder", "limit", "until", "release", box=None, pad_edge=False)
    for each in found:
        row = (each["channel"], each["sku"], each["backorder"], each["limit"], each["until"], each["release_at"])
        table.add_row(*map(shown, row))
    print_listing(found, table, "no policy says what may be sold ahead", as_json=as_json)


@sell_ahead_app.command(name="set")
def set_(
    *,
    channel: Channel = None,
    sku: Sku = None,
    backorder: Annotated[bool, Parameter(help="It may be sold beyond what is available.", negative=())] = False,
    limit: Annotated[int | None, Parameter(help="How many units may wait for stock at once; else any number.")] = None,
    until: Annotated[
        datetime | None, AS_MOMENT, Parameter(help="When backorders end, of this machine's time zone.")
    ] = None,
    release_at: Annotated[datetime | None, AS_MOMENT, Parameter(help="Of a preorder: it is not routed before.")] = None,
    by: By = None,
    reason: Reason = "",
    key: Key = None,
    api: Api = None,
    as_json: AsJson = False,
) -> None:
    """Say what may be sold ahead of a SKU in a channel, instead of what was said before; it holds for new orders."""
    policy: JsonObject = {"channel": channel, "sku": sku, "backorder": backorder}
    policy |= _given(limit=limit, until=_instant(until), release_at=_instant(release_at))
    _change("set", policy, by, reason, key=key, api=api, as_json=as_json)


@sell_ahead_app.command
def remove(
    *,
    channel: Channel = None,
    sku: Sku = None,
    by: By = None,
    reason: Reason = "",
    key: Key = None,
    api: Api = None,
    as_json: AsJson = False,
) -> None:
    """Take a policy out of force: the default of the SKU or of the channel counts for new orders, if there is one."""
    _change("remove", {"channel": channel, "sku": sku}, by, reason, key=key, api=api, as_json=as_json)


@sell_ahead_app.command
def changes(
    *, channel: Channel = None, sku: Sku = None, limit: int = 20, api: Api = None, as_json: AsJson = False
) -> None:
    """
    Show who changed what may be sold ahead, the latest change first.

    Parameters
    ----------
    limit: int
        How many at most.
    """
    with client(api) as http:
        found = ask(http, "GET", "/v1/sell-ahead/changes", params=_given(channel=channel, sku=sku, limit=limit))
    table = Table("number", "at", "by", "channel", "sku", "before", "after", "reason", box=None, pad_edge=False)
    for each in found["items"]:
        said = (_told(each["before"]), _told(each["after"]), each["reason"])
        table.add_row(*map(shown, (each["number"], each["at"], each["by"], each["channel"], each["sku"], *said)))
    print_listing(found["items"], table, "nothing was changed", as_json=as_json)


def _change(
    what: str, policy: JsonObject, by: str | None, reason: str, *, key: str | None, api: str | None, as_json: bool
) -> None:
    body: JsonObject = {"policies": [policy], "by": by or operator(), "reason": reason}
    with client(api) as http:
        answer = command(http, f"/v1/sell-ahead/{what}", body, key)
    if as_json:
        Console().print_json(data=answer)
        return
    of = f"{policy['sku'] or 'every SKU'} in {policy['channel'] or 'every channel'}"
    for change in answer["changes"]:
        sys.stdout.write(f"{of}: {_told(change['after'])}; before: {_told(change['before'])}\n")
    if not answer["changes"]:
        sys.stderr.write(f"{of}: that was in force already\n")


def _told(policy: dict[str, Any] | None) -> str:
    """Say what a policy says, in words."""
    if policy is None:
        return "no policy"
    parts = ["backorders" if policy["backorder"] else "no backorders"]
    for name, words in (("limit", "up to"), ("until", "until"), ("release_at", "released")):
        if policy[name] is not None:
            parts.append(f"{words} {policy[name]}")
    return ", ".join(parts)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _instant(at: datetime | None) -> str | None:
    return None if at is None else moment(at).isoformat()
