"""`orderloom flows diff`: what is different between two sets of flows, by meaning, and what breaks orders in flight."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from flows_dsl.diff import Difference, as_json
from flows_dsl.diff import diff as compare
from flows_dsl.meaning import meaning
from flows_dsl.model import FlowDocument
from orderloom.cli.flows.app import flows_app
from orderloom.cli.flows.sides import flows_named, is_path, needs_database
from orderloom.cli.flows.store import store
from orderloom.cli.running import run
from orderloom.domain.errors import OrderloomError
from orderloom.settings import Settings

SAME, DIFFERENT, WRONG, BREAKING = range(4)


@flows_app.command
def diff(
    a: str,
    b: str,
    *,
    format: Annotated[Literal["human", "json"], Parameter(help="How differences are shown.")] = "human",
    data_dir: Annotated[Path | None, Parameter(help="Where the servers keep their data. [default: .orderloom]")] = None,
) -> None:
    """
    Tell what is different in B, by meaning, and what of it breaks orders in flight that are moved there from A.

    A and B are each a file or folder of flows, a release's hash or its beginning, `channel:NAME` for what is in force
    there, or `prebuilt`. Beside a release, a file or folder stands for its own flows only.
    Exit status: 0 no difference, 1 differences, 3 some that break orders in flight, 2 one side cannot be read.

    Parameters
    ----------
    a: str
        What it was.
    b: str
        What it is to be.
    """
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    sides: list[list[FlowDocument]] = []

    async def work() -> None:
        if not needs_database((a, b)):
            sides.extend([await flows_named(None, word) for word in (a, b)])
            return
        async with store(settings) as engine, engine.connect() as conn:
            sides.extend([await flows_named(conn, word) for word in (a, b)])

    try:
        run(settings, work)
    except OrderloomError as error:
        sys.stderr.write(f"orderloom: {error.detail} {error.remedy()}\n")
        sys.exit(WRONG)
    found = compare(*(list(map(meaning, side)) for side in _comparable(sides, (is_path(a), is_path(b)))))
    _show(found, format)
    sys.exit(BREAKING if found.breaking else DIFFERENT if found.changes else SAME)


def _comparable(sides: Sequence[list[FlowDocument]], paths: tuple[bool, bool]) -> Sequence[list[FlowDocument]]:
    """Return both sides, less those flows of a release that the path on the other side does not speak of."""
    if paths[0] == paths[1]:
        return sides
    names = {flow.name for flow in sides[0 if paths[0] else 1]}
    return [[flow for flow in side if flow.name in names] for side in sides]


def _show(found: Difference, format: str) -> None:
    if format == "json":
        sys.stdout.write(f"{json.dumps(as_json(found), indent=2, ensure_ascii=False)}\n")
        return
    for flow in dict.fromkeys(change.flow for change in found.changes):
        sys.stdout.write(f"{flow}\n")
        for change in found.changes:
            if change.flow == flow:
                sys.stdout.write(f"  {change}\n")
