"""`up`: all of Orderloom on this machine, with servers of its own."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from orderloom.cli.running import forever, run
from orderloom.settings import Settings
from orderloom.stack import WITHOUT_WORKERS, Options, Stack

up_app = App(name="up")


@up_app.command
def up(
    *,
    data_dir: Annotated[Path | None, Parameter(help="Where the servers keep their data. [default: .orderloom]")] = None,
    host: Annotated[str | None, Parameter(help="Where API and gateway listen. [default: 127.0.0.1]")] = None,
    api_port: Annotated[int | None, Parameter(help="Port of the API. [default: 8080]")] = None,
    gateway_port: Annotated[int | None, Parameter(help="Port of the sandbox gateway. [default: 8090]")] = None,
    temporal_ui_port: Annotated[int | None, Parameter(help="Port of Temporal's web pages. [default: 8233]")] = None,
) -> None:
    """
    Start PostgreSQL, Temporal, the workers, the relay, the sandbox gateway and the API; stop them with Ctrl-C.

    A server that DATABASE_URL or TEMPORAL_ADDRESS names is used instead of one of our own.
    """
    given = {
        "data_dir": data_dir,
        "host": host,
        "api_port": api_port,
        "gateway_port": gateway_port,
        "temporal_ui_port": temporal_ui_port,
    }
    settings = Settings.model_validate(
        {**Settings().model_dump(), **{name: value for name, value in given.items() if value is not None}}
    )
    run(settings, lambda: _up(settings))


async def _up(settings: Settings) -> None:
    books = settings.data_dir.expanduser() / "gateway.db"
    async with Stack.start(
        settings, Options(books=books, parts=WITHOUT_WORKERS, worker_process=True, tell=_tell)
    ) as stack:
        _tell(f"API       {stack.api_url}/docs")
        _tell(f"gateway   {stack.gateway_url}")
        _tell(f"Temporal  {stack.addresses.temporal_ui or stack.addresses.temporal_address}")
        _tell("ready; Ctrl-C stops everything")
        await forever()


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
