"""`orderloom flows check`: what is wrong with flows, before they are published."""

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from flows_dsl import prebuilt
from flows_dsl.check import check_text
from flows_dsl.findings import Finding
from orderloom.cli.flows.app import flows_app
from orderloom.cli.flows.files import Unreadable, beside, flow_files, text_of
from orderloom.cli.flows.sarif import sarif

type Found = list[tuple[str, Finding]]
"""Findings, each with the name of its file."""


@flows_app.command
def check(
    *paths: Path,
    format: Annotated[Literal["human", "json", "sarif"], Parameter(help="How findings are shown.")] = "human",
) -> None:
    """
    Check flows and tell everything that is wrong with them, by line. Exit status 1 when anything is.

    Parameters
    ----------
    paths: Path
        YAML or JSON files, one flow each, or directories of them. None: the flows that ship. What a flow runs is
        looked for in its own directory.
    """
    files = flow_files(paths)
    found = [(str(file), finding) for file in files for finding in _findings(file)] if paths else _prebuilt()
    match format:
        case "json":
            shown = [{"file": file, **finding.model_dump()} for file, finding in found]
            print(json.dumps(shown, indent=2, ensure_ascii=False))  # noqa: T201
        case "sarif":
            print(json.dumps(sarif(found), indent=2, ensure_ascii=False))  # noqa: T201
        case "human":
            for file, finding in found:
                print(f"{file}:{finding}")  # noqa: T201
            count = len(files) if paths else len(prebuilt.names())
            print(f"{count} flow(s) checked, {len(found)} finding(s)", file=sys.stderr)  # noqa: T201
    sys.exit(1 if found else 0)


def _prebuilt() -> Found:
    flows = prebuilt.documents()
    return [(name, finding) for name in prebuilt.names() for finding in check_text(prebuilt.text(name), flows=flows)]


def _findings(file: Path) -> list[Finding]:
    try:
        return check_text(text_of(file), flows=beside(file))
    except Unreadable as error:
        return [error.finding]
