"""The processes of a deployment, one command each; they need servers that the settings name."""

import sys
from collections.abc import Sequence
from pathlib import Path

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
    """
    Serve the sandbox gateway, which stands in for a payment service provider.

    Its books are kept in the data directory. It tells what it did where ORDERLOOM_SANDBOX_WEBHOOK_URL says.
    """
    books = Settings().data_dir.expanduser() / "gateway.db"
    books.parent.mkdir(parents=True, exist_ok=True)
    _serve((Part.GATEWAY,), books)


@servers_app.command
def migrate() -> None:
    """Bring the databases to the schema that this version needs."""
    settings = Settings()
    run(settings, lambda: servers.bring_up_to_date(servers.named(settings)))


def _serve(parts: Sequence[Part], books: Path | str = Options.books) -> None:
    settings = Settings()
    servers.named(settings)
    run(settings, lambda: _run(settings, Options(parts=parts, books=books)))


async def _run(settings: Settings, options: Options) -> None:
    async with Stack.start(settings, options) as stack:
        shown = " ".join(url for url in (stack.api_url, stack.gateway_url) if url)
        sys.stdout.write(f"{', '.join(options.parts)}: ready {shown}\n")
        sys.stdout.flush()
        await forever()
