"""The command ``orderloom``: each group of commands is a module beside this one."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from cyclopts import App

from orderloom.bootstrap.errors import StartRefused
from orderloom.bootstrap.own_actions import load_actions
from orderloom.domain.errors import OrderloomError

app = App(name="orderloom", help="Orders as durable workflows on Temporal and PostgreSQL.", version_flags=["--version"])

GROUPS = (
    ("orderloom.cli.demo", "demo_app", "*", ("demo",)),
    ("orderloom.cli.up", "up_app", "*", ("up",)),
    ("orderloom.cli.servers", "servers_app", "*", ("worker", "relay", "api", "gateway", "migrate")),
    ("orderloom.cli.orders", "orders_app", "orders", ("orders",)),
    ("orderloom.cli.exceptions", "exceptions_app", "exceptions", ("exceptions",)),
    ("orderloom.cli.flows", "flows_app", "flows", ("flows",)),
    ("orderloom.cli.actions", "actions_app", "actions", ("actions",)),
    ("orderloom.cli.policies", "policies_app", "policies", ("policies",)),
    ("orderloom.cli.locations", "locations_app", "locations", ("locations",)),
    ("orderloom.cli.pools", "pools_app", "pools", ("pools",)),
    ("orderloom.cli.scenario", "scenario_app", "scenario", ("scenario",)),
    ("orderloom.cli.world", "world_app", "world", ("world",)),
    ("orderloom.cli.inventory", "inventory_app", "inventory", ("inventory",)),
    ("orderloom.cli.sell_ahead", "sell_ahead_app", "sell-ahead", ("sell-ahead",)),
    ("orderloom.cli.doctor", "doctor_app", "*", ("doctor",)),
    ("orderloom.cli.benchmark", "benchmark_app", "benchmark", ("benchmark",)),
    ("orderloom.cli.chaos", "chaos_app", "chaos", ("chaos",)),
    ("orderloom.cli.figures", "figures_app", "figures", ("figures",)),
    ("orderloom.cli.develop", "develop_app", "*", ("check", "test")),
)
"""Module, the application in it, the name it is added under (``*``: its commands come to the top), its commands."""


def main() -> None:
    """Run the command line. What cannot start exits with 2, what went wrong otherwise with 1, each in one sentence."""
    mount(sys.argv[1:])
    try:
        load_actions(os.environ.get("ORDERLOOM_ACTIONS"))
        app()
    except StartRefused as error:
        _say(error)
        sys.exit(2)
    except OrderloomError as error:
        _say(error)
        sys.exit(1)


def mount(words: Sequence[str] = ()) -> None:
    """Add the group that the first of *words* belongs to, else all: a command imports no more than it needs."""
    meant = [group for group in GROUPS if words and words[0] in group[3]]
    for module, application, name, _ in meant or GROUPS:
        app.command(getattr(import_module(module), application), name=name)


def _say(error: OrderloomError) -> None:
    sys.stderr.write(f"orderloom: {error.detail} {error.remedy()}\n")
