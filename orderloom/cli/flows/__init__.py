"""`orderloom flows …`: what authors of flows use at their desk."""

from orderloom.cli.flows import check, migrate, publish, releases
from orderloom.cli.flows.app import flows_app

__all__ = ["check", "flows_app", "migrate", "publish", "releases"]
