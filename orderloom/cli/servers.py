"""The processes of a deployment, one command each; they need servers that the settings name."""

import sys

from cyclopts import App

from orderloom.bootstrap import servers
from orderloom.cli.running import forever, run
from orderloom.settings import Settings
from orderloom.stack import Options, Part, Stack

servers_app = App(name="servers")


@servers_app.command
def worker() -> None:
    """Run order workflows with their transactions, and the activities that call gateways."""
    serve(Options(parts=(Part.ORDERS, Part.OUTSIDE, Part.ROUTING), migrate=False))


@servers_app.command
def relay() -> None:
    """Deliver intake that nobody has delivered, and number the feed. One of several relays works, the others wait."""
    serve(Options(parts=(Part.RELAY,), migrate=False))


@servers_app.command
def api() -> None:
    """Serve the HTTP API."""
    serve(Options(parts=(Part.API,), migrate=False))


@servers_app.command
def gateway() -> None:
    """
    Serve the sandbox gateway, which stands in for a payment service provider.

    Its books are kept in the data directory. It tells what it did where ORDERLOOM_SANDBOX_WEBHOOK_URL says.
    """
    # Where the others find the gateway is this process itself: all processes have the same settings.
    settings = Settings().model_copy(update={"gateway_url": None})
    books = settings.data_dir.expanduser() / "gateway.db"
    books.parent.mkdir(parents=True, exist_ok=True)
    serve(Options(parts=(Part.GATEWAY,), migrate=False, books=books), settings)


@servers_app.command
def migrate() -> None:
    """Bring the databases to the schema that this version needs."""
    settings = Settings()
    run(settings, lambda: servers.bring_up_to_date(servers.named(settings)))


def serve(options: Options, settings: Settings | None = None) -> None:
    """Run parts of a deployment until somebody stops them, and say when they are ready."""
    settings = settings or Settings()
    servers.named(settings)
    run(settings, lambda: _run(settings, options))


async def _run(settings: Settings, options: Options) -> None:
    async with Stack.start(settings, options) as stack:
        shown = " ".join(url for url in (stack.api_url, stack.gateway_url, stack.monitor_url) if url)
        sys.stdout.write(f"{', '.join(options.parts)}: ready {shown}\n")
        sys.stdout.flush()
        await forever()
