"""`orderloom locations`: how full the days of a location are, and what it turned down lately."""

import sys
from typing import Annotated

from cyclopts import App, Parameter
from rich.table import Table

from orderloom.cli.calling_api import Api, AsJson, Key, ask, client, command
from orderloom.cli.listing import print_listing, shown

locations_app = App(name="locations", help="The work of locations: capacity and rejections.")


@locations_app.command
def capacity(location: str, *, days: int = 7, api: Api = None, as_json: AsJson = False) -> None:
    """
    Show how many fulfillment orders a location takes each day, and how many of them it has.

    Parameters
    ----------
    location: str
        Id of the location.
    days: int
        How many days from today on.
    """
    with client(api) as http:
        found = ask(http, "GET", f"/v1/locations/{location}/capacity", params={"days": days})
    table = Table("day", "works", "capacity", "held", "assigned", "left", box=None, pad_edge=False)
    for day in found["days"]:
        row = (day["day"], day["works"], day["capacity"], day["held"], day["assigned"], day["left"])
        table.add_row(*map(shown, row))
    print_listing(found, table, "no day was asked for", as_json=as_json)
    _say(f"work given now belongs to {found['taking']}", as_json=as_json)


@locations_app.command
def rejections(
    location: str,
    *,
    reset: Annotated[bool, Parameter(help="Let what it turned down until now count no more.", negative=())] = False,
    sku: Annotated[str | None, Parameter(help="With --reset: only of this SKU.")] = None,
    api: Api = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """
    Show what a location turned down lately and how much of it still counts, or let it count no more.

    Parameters
    ----------
    location: str
        Id of the location.
    """
    path = f"/v1/locations/{location}/rejections"
    with client(api) as http:
        if reset:
            done = command(http, f"{path}/reset", {"sku": sku}, key)
            sys.stderr.write(f"{done['forgotten']} rejections of {location} count no more\n")
        found = ask(http, "GET", path)
    table = Table("sku", "reports", "units", "reasons", "last", "score", box=None, pad_edge=False)
    for one in found["skus"]:
        row = (one["sku"], one["reports"], one["units"], ", ".join(one["reasons"]), one["last_at"], one["score"])
        table.add_row(*map(shown, row))
    print_listing(found, table, "nothing that it turned down counts", as_json=as_json)
    if found["skus"]:
        _say(f"a rejection counts half after {found['half_life'] / 86_400:g} days", as_json=as_json)


def _say(what: str, *, as_json: bool) -> None:
    if not as_json:
        sys.stderr.write(f"{what}\n")
