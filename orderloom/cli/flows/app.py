"""The command group `orderloom flows`: each of its commands stands in a module of its own and registers itself here."""

from cyclopts import App

flows_app = App(name="flows", help="What authors of flows use at their desk.")
