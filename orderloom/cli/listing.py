"""How lists are printed: as a table for people, or as JSON."""

import sys
from typing import Any

from rich.console import Console
from rich.table import Table


def shown(value: Any) -> str:
    """Return what a cell shows of *value*."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)


def print_listing(found: Any, table: Table, nothing: str, *, as_json: bool) -> None:
    """Print *found* as JSON, or *table*; without a row say *nothing* on stderr."""
    console = Console()
    if as_json:
        console.print_json(data=found)
    elif table.row_count:
        console.print(table)
    else:
        sys.stderr.write(f"{nothing}\n")
