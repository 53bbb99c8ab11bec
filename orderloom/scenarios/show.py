"""Shows verdicts to people: one line for a case that is as demanded, the differences of one that is not."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orderloom.scenarios.runner import Verdict
from orderloom.scenarios.session import Found


def show_verdict(console: Console, verdict: Verdict) -> None:
    """Print how a case ended."""
    mark = "[red]differs[/red]" if verdict.found else "[green]as demanded[/green]"
    console.print(f"{mark}  {escape(verdict.title)}  [dim]{verdict.steps} steps, {verdict.seconds:.1f} s[/dim]")
    by_place: dict[tuple[str, str], list[Found]] = {}
    for found in verdict.found:
        by_place.setdefault((found.place, found.step), []).append(found)
    for (place, step), differences in by_place.items():
        console.print(f"  [bold]{escape(place)}[/bold]  {step}", highlight=False)
        console.print(_table(differences))


def show_sum(console: Console, verdicts: list[Verdict]) -> None:
    """Print how many cases are as demanded."""
    wrong = sum(bool(verdict.found) for verdict in verdicts)
    seconds = sum(verdict.seconds for verdict in verdicts)
    colour = "red" if wrong else "green"
    good = len(verdicts) - wrong
    console.print(f"[{colour}]{good} of {len(verdicts)} cases as demanded[/{colour}] in {seconds:.1f} s")


def _table(found: list[Found]) -> Table:
    table = Table(box=None, padding=(0, 2), pad_edge=True)
    table.add_column("what", overflow="fold")
    table.add_column("expected", style="green", overflow="fold")
    table.add_column("actual", style="red", overflow="fold")
    for one in found:
        difference = one.difference
        table.add_row(f"    {escape(difference.path)}", escape(difference.expected), escape(difference.actual))
    return table
