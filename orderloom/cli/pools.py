"""`orderloom pools`: routing pools, and what their waves came to."""

from typing import Any
from urllib.parse import quote

from cyclopts import App
from rich.table import Table

from orderloom.cli.calling_api import Api, AsJson, ask, client
from orderloom.cli.listing import print_listing, shown

pools_app = App(name="pools", help="Routing pools and their waves.")


@pools_app.command(name="list")
def list_(*, api: Api = None, as_json: AsJson = False) -> None:
    """
    Show how many orders wait in each routing pool, when its next wave is due, and what the last came to.

    Answers are those of the last hour to what waves held for orders.
    """
    with client(api) as http:
        found = ask(http, "GET", "/v1/routing-pools")
    table = Table(
        "pool", "waiting", "due", "next wave", "proposed", "answers", "last wave", "came to", box=None, pad_edge=False
    )
    for each in found["items"]:
        last = each["last_wave"]
        row = (each["pool"], each["waiting"], each["due"], each["next_wave_at"], each["proposed"])
        table.add_row(*map(shown, row), _told(each["answers"]), shown(last and last["number"]), _came_to(last))
    print_listing(found, table, "no order waits in a routing pool", as_json=as_json)


@pools_app.command
def waves(pool: str, *, limit: int = 20, api: Api = None, as_json: AsJson = False) -> None:
    """
    Show the last waves of a routing pool.

    Parameters
    ----------
    pool: str
        Its name, as routing policies say it.
    limit: int
        How many at most.
    """
    with client(api) as http:
        found = ask(http, "GET", f"/v1/routing-pools/{quote(pool)}/waves", params={"limit": limit})
    names = ("number", "at", "orders", "routed", "partial", "unrouted", "left_over", "splits")
    table = Table(*(name.replace("_", " ") for name in names), box=None, pad_edge=False)
    for each in found["items"]:
        table.add_row(*(shown(each[name]) for name in names))
    print_listing(found, table, f"pool {pool} has had no wave", as_json=as_json)


def _came_to(wave: dict[str, Any] | None) -> str:
    if wave is None:
        return "-"
    if wave["routed"] is None:
        return "under way"
    return _told({name: wave[name] for name in ("routed", "partial", "unrouted", "left_over")}, "nothing")


def _told(counts: dict[str, int], nothing: str = "-") -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count) or nothing
