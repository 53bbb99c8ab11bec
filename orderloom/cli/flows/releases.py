"""`orderloom flows releases`: what is in force for each channel, how it came to that, and back again."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.bootstrap.clock import Clock
from orderloom.cli.flows.app import flows_app
from orderloom.cli.flows.store import meant_channel, operator, store
from orderloom.cli.running import run
from orderloom.domain.errors import NotFound
from orderloom.domain.model import Frozen
from orderloom.persistence import releases as stored
from orderloom.readmodels.releases import Activation, ReleaseView, full_hash, history, release_of, release_view
from orderloom.settings import Settings

releases_app = App(name="releases", help="Releases of channels: list, show, activate, roll back.")
flows_app.command(releases_app)

type Channel = Annotated[str | None, Parameter(name="--channel", help="May be left out when there is just one.")]
type Format = Annotated[Literal["human", "json"], Parameter(name="--format", help="How it is shown.")]
type Reason = Annotated[str, Parameter(name="--reason", help="Why, for the history.")]
type By = Annotated[str | None, Parameter(name="--by", help="Who, for the history. [default: your user name]")]
type DataDir = Annotated[
    Path | None, Parameter(name="--data-dir", help="Where the servers keep their data. [default: .orderloom]")
]


class NothingReleased(NotFound):
    """The channel has no release in force.

    Publish one: `orderloom flows publish PATH… --channel CHANNEL`.
    """

    code = "channel.nothing_released"


@releases_app.command(name="list")
def list_releases(*, channel: Channel = None, format: Format = "human", data_dir: DataDir = None) -> None:
    """List what was put in force, for one channel or all, the latest first; the star marks what is now."""
    found: list[Activation] = []

    async def read(conn: AsyncConnection) -> None:
        found.extend(await history(conn, channel))

    _with_database(data_dir, read)
    if format == "json":
        _print_json(found)
        return
    table = Table("", "channel", "release", "when", "how", "by", "reason", box=None)
    for one in found:
        at = f"{one.at:%Y-%m-%d %H:%M:%S}"
        table.add_row("*" if one.in_force else "", one.channel, one.release, at, one.kind, one.by, one.reason)
    Console().print(table)


@releases_app.command
def show(
    release: str | None = None, *, channel: Channel = None, format: Format = "human", data_dir: DataDir = None
) -> None:
    """
    Show the flows and layers of a release, and who uses it; without RELEASE, of the one that is in force.

    Parameters
    ----------
    release: str
        The release's hash, or its beginning.
    """
    found: list[ReleaseView] = []

    async def read(conn: AsyncConnection) -> None:
        hash = await meant_release(conn, release, channel)
        found.append(await release_view(conn, hash))

    _with_database(data_dir, read)
    if format == "json":
        sys.stdout.write(f"{found[0].model_dump_json(indent=2)}\n")
        return
    view = found[0]
    for name, value in (
        ("release", view.release),
        ("published", f"{view.published_at:%Y-%m-%d %H:%M:%S}"),
        ("channels", ", ".join(view.channels) or "none"),
        ("open orders", str(view.open_orders)),
        ("brand", view.brand or "none"),
        ("layers", ", ".join(view.layers) or "none"),
    ):
        sys.stdout.write(f"{name:<12}{value}\n")
    table = Table("flow", "version", "hash", "starts on", box=None)
    for flow in view.flows:
        table.add_row(flow.name, flow.version, flow.hash, ", ".join(flow.starts_on))
    Console().print(table)


@releases_app.command
def activate(
    release: str, *, channel: Channel = None, reason: Reason = "", by: By = None, data_dir: DataDir = None
) -> None:
    """
    Put a release in force for the new orders of a channel. Orders under way keep theirs.

    Parameters
    ----------
    release: str
        The release's hash, or its beginning.
    """

    async def change(conn: AsyncConnection) -> None:
        name, hash = await meant_channel(conn, channel), await full_hash(conn, release)
        changed = await stored.activate(conn, name, hash, "activate", by or operator(), reason, Clock().now())
        sys.stdout.write(f"{hash}\n")
        sys.stderr.write(f"{'in force' if changed else 'was in force already'} for channel {name}\n")

    _with_database(data_dir, change)


@releases_app.command
def rollback(*, channel: Channel = None, reason: Reason = "", by: By = None, data_dir: DataDir = None) -> None:
    """Put that release in force that was before the present one. Orders under way keep theirs."""

    async def change(conn: AsyncConnection) -> None:
        name = await meant_channel(conn, channel)
        hash = await stored.rollback(conn, name, by or operator(), reason, Clock().now())
        sys.stdout.write(f"{hash}\n")
        sys.stderr.write(f"in force again for channel {name}\n")

    _with_database(data_dir, change)


async def meant_release(conn: AsyncConnection, release: str | None, channel: str | None) -> str:
    """
    Return the release that is meant: the one named, or that in force for the channel.

    Raises:
        NothingReleased: the channel has none.
    """
    if release is not None:
        return await full_hash(conn, release)
    name = await meant_channel(conn, channel)
    found = await release_of(conn, name)
    if found is None:
        raise NothingReleased(f"Channel {name} has no release in force.", channel=name)
    return found


def _with_database(data_dir: Path | None, work: Callable[[AsyncConnection], Awaitable[None]]) -> None:
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)

    async def connected() -> None:
        async with store(settings) as engine, engine.begin() as conn:
            await work(conn)

    run(settings, connected)


def _print_json(rows: Sequence[Frozen]) -> None:
    sys.stdout.write(f"[{', '.join(row.model_dump_json() for row in rows)}]\n")
