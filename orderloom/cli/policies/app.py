"""The group ``policies``, to which the modules beside this one add their commands."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from flows_dsl.policies import read_policy
from orderloom.cli.flows.files import Unreadable, text_of
from orderloom.domain.routing_policy import RoutingPolicy

policies_app = App(name="policies", help="Routing policies: check, publish, list, show, activate, shadow.")

type Channel = Annotated[str | None, Parameter(name="--channel", help="May be left out when there is just one.")]
type DataDir = Annotated[
    Path | None, Parameter(name="--data-dir", help="Where the servers keep their data. [default: .orderloom]")
]


def read_policy_file(file: Path) -> tuple[RoutingPolicy, str] | None:
    """Return the policy in *file* and its text; None when findings were printed."""
    try:
        text = text_of(file)
    except Unreadable as error:
        print(f"{file}:{error.finding}")  # noqa: T201
        return None
    policy, findings = read_policy(text)
    for finding in findings:
        print(f"{file}:{finding}")  # noqa: T201
    return None if policy is None else (policy, text)
