"""`orderloom flows schema`: what editors complete and check flows with."""

import sys

from flows_dsl.flow_schema import schema_text
from orderloom.cli.flows.app import flows_app
from orderloom.contracts.actions import CORE_ACTIONS


@flows_app.command
def schema() -> None:
    """Write the JSON Schema of flows, with the actions that they may call, for editors."""
    sys.stdout.write(schema_text(CORE_ACTIONS))
