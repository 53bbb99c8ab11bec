"""`orderloom locations`: how full the days of a location are, and what it turned down lately."""

import sys
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from orderloom.cli.calling_api import Api, AsJson, Key, ask, client, command

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
        table.add_row(*(_shown(value) for value in row))
    _print(found, table, f"work given now belongs to {found['taking']}", as_json=as_json)


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
        table.add_row(*(_shown(value) for value in row))
    said = f"a rejection counts half after {found['half_life'] / 86_400:g} days"
    _print(found, table, said if found["skus"] else "nothing that it turned down counts", as_json=as_json)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)


def _print(found: Any, table: Table, said: str, *, as_json: bool) -> None:
    console = Console()
    if as_json:
        console.print_json(data=found)
        return
    if table.row_count:
        console.print(table)
    sys.stderr.write(f"{said}\n")
