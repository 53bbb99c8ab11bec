"""`orderloom flows explain`: a resolved flow, and where each of its fields comes from."""

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from flows_dsl.composing import ReleaseRefused
from flows_dsl.explaining import Explained
from flows_dsl.explaining import explain as explain_flow
from orderloom.cli.flows.app import flows_app
from orderloom.cli.flows.publish import read_written, show_findings
from orderloom.cli.flows.releases import meant_release
from orderloom.cli.flows.sides import is_path
from orderloom.cli.flows.store import sources_in_force, store
from orderloom.cli.running import run
from orderloom.settings import Settings


@flows_app.command
def explain(
    flow: str,
    *,
    channel: Annotated[str | None, Parameter(help="As it is in force there.")] = None,
    release: Annotated[str | None, Parameter(help="As it is in this release, by its hash or the beginning.")] = None,
    layer: Annotated[list[Path] | None, Parameter(help="With a file: a layer to apply; may be said again.")] = None,
    format: Annotated[Literal["human", "json"], Parameter(help="How it is shown.")] = "human",
    data_dir: Annotated[Path | None, Parameter(help="Where the servers keep their data. [default: .orderloom]")] = None,
) -> None:
    """
    Show every field of a flow as it runs, with the file, line and column that it was written at, and the layer.

    Parameters
    ----------
    flow: str
        The name of a published flow, or a file.
    """
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    found: list[Explained] = []

    async def published() -> None:
        async with store(settings) as engine, engine.connect() as conn:
            flows, layers, _ = await sources_in_force(conn, await meant_release(conn, release, channel))
            found.extend(explain_flow(flow, flows, layers))

    try:
        if is_path(flow):
            [written] = read_written([Path(flow)])
            found.extend(explain_flow(written.name, [written], read_written(layer) if layer else []))
        else:
            run(settings, published)
    except ReleaseRefused as error:
        show_findings(error.findings)
        sys.exit(1)
    if format == "json":
        fields = [field.model_dump(mode="json", exclude_none=True) | {"value": field.value} for field in found]
        sys.stdout.write(f"{json.dumps(fields, indent=2, ensure_ascii=False)}\n")
        return
    for field in found:
        sys.stdout.write(f"{field}\n")
