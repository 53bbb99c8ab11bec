"""`orderloom flows check`: what is wrong with a flow, before it is published."""

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from flows_dsl.check import check_text
from flows_dsl.findings import Finding
from orderloom.cli.flows.app import flows_app


@flows_app.command
def check(
    *files: Path,
    format: Annotated[Literal["human", "json"], Parameter(help="How findings are shown.")] = "human",
) -> None:
    """
    Check flows and tell everything that is wrong with them, by line. Exit status 1 when anything is.

    Parameters
    ----------
    files: Path
        YAML or JSON files, one flow each.
    """
    if not files:
        print("Name at least one file: orderloom flows check FILE…", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    found = [(file, finding) for file in files for finding in _findings(file)]
    if format == "json":
        print(json.dumps([{"file": str(file), **it.model_dump()} for file, it in found], indent=2, ensure_ascii=False))  # noqa: T201
    else:
        for file, finding in found:
            print(f"{file}:{finding}")  # noqa: T201
    sys.exit(1 if found else 0)


def _findings(file: Path) -> list[Finding]:
    try:
        return check_text(file.read_bytes().decode())
    except OSError as error:
        message = f"The file cannot be read: {error.strerror}."
        return [Finding(code="file.unreadable", message=message, remedy="Check its name and its permissions.")]
    except UnicodeDecodeError:
        return [Finding(code="file.encoding", message="The file is no UTF-8 text.", remedy="Save it as UTF-8.")]
