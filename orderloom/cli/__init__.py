"""The command ``orderloom``: each group of commands is a module beside this one."""

import sys
from importlib import import_module
from importlib.util import find_spec

from cyclopts import App

from orderloom.bootstrap.errors import StartRefused
from orderloom.domain.errors import OrderloomError

app = App(name="orderloom", help="Orders as durable workflows on Temporal and PostgreSQL.", version_flags=["--version"])

GROUPS = (
    ("orderloom.cli.up", "up_app", None),
    ("orderloom.cli.demo", "demo_app", None),
    ("orderloom.cli.orders", "orders_app", "orders"),
    ("orderloom.cli.flows", "flows_app", "flows"),
    ("orderloom.cli.scenario", "scenario_app", "scenario"),
    ("orderloom.cli.doctor", "doctor_app", None),
    ("orderloom.cli.servers", "servers_app", None),
    ("orderloom.cli.develop", "develop_app", None),
)
"""Module, the application in it, and the name it gets; None adds its commands to the top."""


def main() -> None:
    """Run the command line. What cannot start exits with 2, what went wrong otherwise with 1, each in one sentence."""
    mount()
    try:
        app()
    except StartRefused as error:
        _say(error)
        sys.exit(2)
    except OrderloomError as error:
        _say(error)
        sys.exit(1)


def mount() -> None:
    """Add the groups of commands that are there."""
    for module, name, group in GROUPS:
        if find_spec(module) is None:
            continue
        commands = getattr(import_module(module), name)
        app.command(commands, name=group or "*")


def _say(error: OrderloomError) -> None:
    sys.stderr.write(f"orderloom: {error.detail} {error.remedy()}\n")
