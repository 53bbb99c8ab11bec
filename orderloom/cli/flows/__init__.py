"""`orderloom flows …`: what authors of flows use at their desk."""

from orderloom.cli.flows import cases, check, diagram, diff, explain, migrate, publish, releases, run, schema, simulate
from orderloom.cli.flows.app import flows_app

__all__ = [
    "cases",
    "check",
    "diagram",
    "diff",
    "explain",
    "flows_app",
    "migrate",
    "publish",
    "releases",
    "run",
    "schema",
    "simulate",
]
