"""`orderloom flows diagram`: a picture of a flow."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, NoReturn

from cyclopts import Parameter

from flows_dsl import prebuilt
from flows_dsl.diagram import diagram as graph_of
from flows_dsl.diagram import marked
from flows_dsl.findings import Finding
from flows_dsl.loader import load
from flows_dsl.mermaid import mermaid
from flows_dsl.svg import svg
from orderloom.cli.calling_api import Api
from orderloom.cli.flows.app import flows_app
from orderloom.cli.flows.files import Unreadable, text_of
from orderloom.cli.flows.marks import marks_of
from orderloom.cli.flows.sides import is_path

_DRAWN = {"mermaid": mermaid, "svg": svg}


@flows_app.command
def diagram(
    flow: str,
    *,
    format: Annotated[Literal["mermaid", "svg"], Parameter(help="What is written to standard output.")] = "mermaid",
    order: Annotated[str | None, Parameter(help="Id of an order: mark what became of the tasks in it.")] = None,
    api: Api = None,
) -> None:
    """
    Draw a flow: a box for each task, an arrow for each way on, dashed after an error.

    With an order it asks the API: tasks whose doing the order's journal tells are marked as done, those at which the
    order stands as waiting, and those at which a process exception waits as failed.

    Exit status: 0 it was drawn, 1 the file is no valid flow; what is wrong with it is on stderr then.

    Parameters
    ----------
    flow: str
        A file, or the name of a flow that ships.
    """
    try:
        loaded = load(text_of(Path(flow)) if is_path(flow) else prebuilt.text(flow))
    except Unreadable as error:
        _refuse([error.finding])
    if loaded.document is None or loaded.findings:
        _refuse(loaded.findings)
    drawn = graph_of(loaded.document)
    if order is not None:
        drawn = marked(drawn, marks_of(loaded.document, order, api))
    sys.stdout.write(_DRAWN[format](drawn))


def _refuse(findings: Iterable[Finding]) -> NoReturn:
    for finding in findings:
        sys.stderr.write(f"{finding}\n")
    sys.exit(1)
