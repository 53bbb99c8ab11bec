"""`orderloom policies shadow`: a draft beside the policy in force, tried on what attempts have seen."""

import re
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from flows_dsl.policies import holds
from orderloom.bootstrap.clock import Clock
from orderloom.cli.flows.store import meant_channel, store
from orderloom.cli.moments import moment
from orderloom.cli.policies.app import Channel, DataDir, policies_app, read_policy_file
from orderloom.cli.running import run
from orderloom.domain.errors import InvalidInput, NotFound
from orderloom.domain.route_figures import Figures
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.domain.shadow import Shadowed, Tally, Totals, shadow
from orderloom.domain.solver import find_routes
from orderloom.persistence.policies import policy_named
from orderloom.readmodels.attempts import past_attempts, policy_of
from orderloom.readmodels.snapshot import snapshot
from orderloom.settings import Settings

_AGE = re.compile(r"^(\d+(?:\.\d+)?)([mhd])$")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@policies_app.command(name="shadow")
def shadow_policy(
    draft: str,
    *,
    channel: Channel = None,
    from_when: Annotated[
        str, Parameter(name="--since", help="From when on: 30m, 12h, 7d ago, or a time such as 2026-03-02T00:00.")
    ] = "1d",
    show: Annotated[int, Parameter(help="How many orders that differ are shown.")] = 20,
    as_json: Annotated[
        bool, Parameter(name="--json", help="Print a JSON line for each that differs, and the sums.", negative=())
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """
    Say what a draft would have done with the orders that were routed, and change nothing.

    Every attempt is tried again on the stock and the facts that it saw, with the draft and with the policy in force.
    What the draft's routes would have left for the orders after them is not known.

    Parameters
    ----------
    draft: str
        A file with the policy, or a published one: `NAME` or `NAME:VERSION`.
    """
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    now = Clock().now()
    given = _draft(draft)
    begin = since(from_when, now)

    async def work() -> None:
        async with store(settings) as engine, snapshot(engine) as conn:
            name = await meant_channel(conn, channel)
            active = await policy_of(conn, name)
            if active is None:
                raise NotFound(f"There is no channel {name}.", channel=name)
            other = await policy_named(conn, given) if isinstance(given, str) else given
            report = _Json() if as_json else _Human(active, other, name, begin, show)
            tally = Tally()
            async for past in past_attempts(conn, name, begin, now, (active, other)):
                one = shadow(active, other, past, holds, find_routes)
                tally.add(one)
                if one.differs:
                    report.one(one)
            report.end(tally.totals())

    run(settings, work)


def since(text: str, now: datetime) -> datetime:
    """
    Return the moment that *text* says: an age, or a time.

    Raises:
        InvalidInput: it is neither.
    """
    try:
        if age := _AGE.match(text):
            return moment(now - timedelta(**{_UNITS[age[2]]: float(age[1])}))
        return moment(text)
    except (ValueError, OverflowError):
        raise InvalidInput(f"--since {text}: give an age such as 12h, or a time such as 2026-03-02T00:00.") from None


def _draft(draft: str) -> RoutingPolicy | str:
    """Return the policy in the file *draft*, or the name that it is; leave when it has findings."""
    if not Path(draft).exists():
        return draft
    found = read_policy_file(Path(draft))
    if found is None:
        sys.exit(1)
    return found[0]


class _Json:
    def one(self, one: Shadowed) -> None:
        sys.stdout.write(f"{one.model_dump_json()}\n")

    def end(self, totals: Totals) -> None:
        sys.stdout.write(f"{totals.model_dump_json()}\n")


class _Human:
    """A table of orders that differ, and one of the sums."""

    def __init__(self, active: RoutingPolicy, draft: RoutingPolicy, channel: str, since: datetime, show: int) -> None:
        self._title = f"{draft.label} beside {active.label}, channel {channel}, since {since:%Y-%m-%d %H:%M}"
        self._show = show
        self._rows: list[Shadowed] = []

    def one(self, one: Shadowed) -> None:
        if len(self._rows) < self._show:
            self._rows.append(one)

    def end(self, totals: Totals) -> None:
        console = Console()
        console.print(self._title)
        if self._rows:
            console.print(_orders(self._rows))
        hidden = totals.differ - len(self._rows)
        more = f" ({hidden} more are not shown)" if hidden else ""
        console.print(f"{totals.differ} of {totals.attempts} attempts differ{more}; nothing was changed")
        console.print(_sums(totals))
        console.print("each attempt was tried on the stock that it saw, not on what the draft would have left")


def _orders(rows: list[Shadowed]) -> Table:
    table = Table("order", "attempt", "in force", "draft", "splits", "km", "cost", box=None)
    for one in rows:
        figures = (_both(one, name) for name in ("splits", "km", "cost"))
        table.add_row(one.order, str(one.attempt), _route(one.active), _route(one.draft), *figures)
    return table


def _route(figures: Figures) -> str:
    return ", ".join(figures.locations) if figures.units else figures.outcome


def _both(one: Shadowed, name: str) -> str:
    before, after = getattr(one.active, name), getattr(one.draft, name)
    return f"{before:g}" if before == after else f"{before:g} → {after:g}"


def _sums(totals: Totals) -> Table:
    table = Table("", "in force", "draft", "difference", box=None)
    rows = (totals.routed, *totals.totals)
    for each in rows:
        table.add_row(each.figure, f"{each.active:g}", f"{each.draft:g}", f"{each.draft - each.active:+g}")
    return table
