"""What the demo shows: progress while it runs, and a table at the end."""

from collections import Counter
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from orderloom.demo.orders import CURRENCY, Story
from orderloom.domain.money import format_amount
from orderloom.readmodels.tally import Tally


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended."""

    tally: Tally
    statuses: dict[str, Counter[str]]
    """Story to the statuses that its orders ended in."""
    shipments: dict[int, int]
    """Locations an order ships from, to the number of orders."""
    findings: tuple[str, ...]
    """What the doctor found; empty when everything balances."""
    gateway: dict[str, int]
    """Captured and refunded according to the gateway's own books."""
    astray: tuple[str, ...]
    """Orders that did not end as their story wants."""
    seconds: float

    @property
    def balanced(self) -> bool:
        """Return whether the ledgers balance and agree with the gateway, and every order ended as it should."""
        books = {"captured": self.tally.captured, "refunded": self.tally.refunded}
        return not self.findings and not self.astray and self.gateway == books


def show(console: Console, outcome: Outcome) -> None:
    """Print the outcome as two tables and a verdict."""
    console.print(_stories(outcome))
    console.print(_figures(outcome))
    for line in (*outcome.astray, *outcome.findings):
        console.print(f"[red]✗[/red] {line}", highlight=False)


def _stories(outcome: Outcome) -> Table:
    table = Table(title="Orders by end state", title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("what happened to them")
    table.add_column("orders", justify="right")
    table.add_column("ended as")
    for story in Story:
        ends = outcome.statuses.get(story, Counter())
        table.add_row(story, str(ends.total()), ", ".join(f"{end} {count}" for end, count in sorted(ends.items())))
    return table


def _figures(outcome: Outcome) -> Table:
    tally = outcome.tally
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    splits = sum((locations - 1) * orders for locations, orders in outcome.shipments.items())
    table.add_row("orders", str(tally.orders))
    table.add_row("fulfillment orders shipped", f"{tally.shipped} of {tally.fulfillment_orders}")
    table.add_row("splits", str(splits))
    table.add_row("routing attempts", str(tally.routing_attempts))
    table.add_row("routings abandoned", str(tally.abandoned))
    for name, count in tally.exceptions.items():
        table.add_row(f"process exceptions, {name}", str(count))
    table.add_row("captured", format_amount(tally.captured, CURRENCY))
    table.add_row("refunded", format_amount(tally.refunded, CURRENCY))
    table.add_row("authorisations given back", format_amount(tally.reversed, CURRENCY))
    table.add_row("ledgers balanced", "yes" if not outcome.findings else "[bold red]no[/bold red]")
    agrees = outcome.gateway == {"captured": tally.captured, "refunded": tally.refunded}
    table.add_row("gateway's books agree", "yes" if agrees else "[bold red]no[/bold red]")
    table.add_row("orders/s", f"{tally.orders / outcome.seconds:.1f}")
    return table
