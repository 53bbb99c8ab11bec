"""The processes of a deployment, one command each; they need servers that the settings name."""

import sys
from collections.abc import Sequence

from cyclopts import App

from orderloom.bootstrap import servers
from orderloom.cli.running import forever, run
from orderloom.settings import Settings
from orderloom.stack import Options, Part, Stack

servers_app = App(name="servers")


@servers_app.command
def worker() -> None:
    """Run order workflows with their transactions, and the activities that call gateways."""
    _serve((Part.ORDERS, Part.OUTSIDE))


@servers_app.command
def relay() -> None:
    """Deliver intake that nobody has delivered, and number the feed. One of several relays works, the others wait."""
    _serve((Part.RELAY,))


@servers_app.command
def api() -> None:
    """Serve the HTTP API."""
    _serve((Part.API,))


@servers_app.command
def gateway() -> None:
    """Serve the sandbox gateway, which stands in for a payment service provider. It tells nobody what it did."""
    _serve((Part.GATEWAY,))


@servers_app.command
def migrate() -> None:
    """Bring the databases to the schema that this version needs."""
    settings = Settings()
    run(settings, lambda: servers.bring_up_to_date(servers.named(settings)))


def _serve(parts: Sequence[Part]) -> None:
    settings = Settings()
    servers.named(settings)
    run(settings, lambda: _run(settings, parts))


async def _run(settings: Settings, parts: Sequence[Part]) -> None:
    async with Stack.start(settings, Options(parts=parts)) as stack:
        shown = " ".join(url for url in (stack.api_url, stack.gateway_url) if url)
        sys.stdout.write(f"{', '.join(parts)}: ready {shown}\n")
        sys.stdout.flush()
        await forever()
