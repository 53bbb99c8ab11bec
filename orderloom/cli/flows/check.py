"""`orderloom flows check`: what is wrong with a flow, before it is published."""

import re
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from flows_dsl import prebuilt
from flows_dsl.check import check_text
from flows_dsl.findings import Finding, errors
from flows_dsl.layers import load_layer
from flows_dsl.yaml_reader import YamlRefused
from orderloom.cli.flows.app import flows_app
from orderloom.cli.flows.files import Unreadable, beside, flow_files, text_of
from orderloom.cli.flows.telling import Checked, as_json, as_sarif, as_text

_LAYER = re.compile(r"^layer:", re.MULTILINE)
_SHOWN = {"json": as_json, "sarif": as_sarif, "text": as_text}


@flows_app.command
def check(
    *paths: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    format: Annotated[Literal["text", "json", "sarif"], Parameter(help="How findings are shown.")] = "text",
) -> None:
    """
    Check flows and tell everything that is wrong with them, by line. Exit status 1 when a finding is an error.

    Parameters
    ----------
    paths: Path
        YAML or JSON files, one flow or layer each, and directories, of which all are checked; `-` is standard input.
        Without any, the flows that ship are checked.
    """
    checked = [_check(file) for file in flow_files(paths)] if paths else _prebuilt()
    if shown := _SHOWN[format](checked):
        print(shown)  # noqa: T201
    if format == "text":
        count = sum(len(it.findings) for it in checked)
        print(f"{len(checked)} flow(s) checked, {count} finding(s)", file=sys.stderr)  # noqa: T201
    sys.exit(1 if any(errors(it.findings) for it in checked) else 0)


def _prebuilt() -> list[Checked]:
    flows = prebuilt.documents(prebuilt.names())
    found: list[Checked] = []
    for name in prebuilt.names():
        text = prebuilt.text(name)
        found.append(Checked(f"prebuilt/{name}.yaml", text, tuple(check_text(text, flows=flows))))
    return found


def _check(file: Path) -> Checked:
    if str(file) == "-":
        text = sys.stdin.read()
        return Checked("stdin", text, tuple(check_text(text)))
    try:
        text = text_of(file)
    except Unreadable as error:
        return Checked(str(file), "", (error.finding,))
    if _LAYER.search(text):
        return Checked(str(file), text, _layer(text, str(file)))
    return Checked(str(file), text, tuple(check_text(text, flows=beside(file))))


def _layer(text: str, file: str) -> tuple[Finding, ...]:
    """Return what is wrong with the shape of a layer; its tasks are checked in the flows that it is applied to."""
    try:
        return load_layer(text, file).findings
    except YamlRefused as error:
        return (error.finding,)
