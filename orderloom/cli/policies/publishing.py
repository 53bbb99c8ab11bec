"""`orderloom policies`: how orders are routed, in files that are checked, published and put in force by channel."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from flows_dsl.policies import schema_text
from orderloom.bootstrap.clock import Clock
from orderloom.cli.flows.store import meant_channel, operator, store
from orderloom.cli.policies.app import Channel, DataDir, policies_app, read_policy_file
from orderloom.cli.running import run
from orderloom.persistence import policies as stored
from orderloom.readmodels.routing_policies import PublishedPolicy, policies_page
from orderloom.settings import Settings

type Reason = Annotated[str, Parameter(name="--reason", help="Why, for the history.")]
type By = Annotated[str | None, Parameter(name="--by", help="Who, for the history. [default: your user name]")]


@policies_app.command
def check(*files: Path) -> None:
    """
    Check routing policies and tell everything that is wrong with them, by line. Exit status 1 when something is.

    Parameters
    ----------
    files: Path
        YAML or JSON files, one policy each.
    """
    wrong = [file for file in files if read_policy_file(file) is None]
    sys.stderr.write(f"{len(files)} polic{'y' if len(files) == 1 else 'ies'} checked, {len(wrong)} with findings\n")
    sys.exit(1 if wrong else 0)


@policies_app.command
def publish(
    file: Path,
    *,
    channel: Channel = None,
    stage: Annotated[bool, Parameter(help="Publish it, but leave in force what is.", negative=())] = False,
    reason: Reason = "",
    by: By = None,
    data_dir: DataDir = None,
) -> None:
    """
    Publish a routing policy and put it in force for the next orders of a channel; orders placed before keep theirs.

    Exit status 1 when it is refused: findings on stdout, the rest on stderr.

    Parameters
    ----------
    file: Path
        A YAML or JSON file with one policy.
    """
    found = read_policy_file(file)
    if found is None:
        sys.exit(1)
    policy, text = found

    async def work(conn: AsyncConnection) -> None:
        now = Clock().now()
        new = await stored.publish_policy(conn, policy, text, now)
        said = f"{policy.label} is {'published' if new else 'published already'}"
        if not stage:
            name = await meant_channel(conn, channel)
            changed = await stored.activate_policy(conn, name, policy.label, by or operator(), reason, now)
            said += f", and {'in force' if changed else 'was in force already'} for channel {name}"
        sys.stderr.write(f"{said}\n")

    _with_database(data_dir, work)


@policies_app.command
def schema() -> None:
    """Print the JSON Schema of routing policies, for editors."""
    sys.stdout.write(schema_text())


@policies_app.command(name="list")
def list_policies(
    *,
    format: Annotated[Literal["human", "json"], Parameter(help="How they are shown.")] = "human",
    data_dir: DataDir = None,
) -> None:
    """List the routing policies that are published, the built-in one too, and the channels where each is in force."""
    found: list[PublishedPolicy] = []

    async def work(conn: AsyncConnection) -> None:
        found.extend(await policies_page(conn))

    _with_database(data_dir, work)
    if format == "json":
        for one in found:
            sys.stdout.write(f"{one.model_dump_json()}\n")
        return
    table = Table("policy", "version", "hash", "published", "in force for", box=None)
    for one in found:
        at = "built in" if one.published_at is None else f"{one.published_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(one.name, one.version, one.hash[:12], at, ", ".join(one.channels))
    Console().print(table)


@policies_app.command
def show(policy: str, *, data_dir: DataDir = None) -> None:
    """
    Print a routing policy as its author wrote it.

    Parameters
    ----------
    policy: str
        `NAME`, which means the highest version, or `NAME:VERSION`; `default`, which is built in, needs no publishing.
    """

    async def work(conn: AsyncConnection) -> None:
        sys.stdout.write(await stored.text_of(conn, policy))

    _with_database(data_dir, work)


@policies_app.command
def activate(
    policy: str, *, channel: Channel = None, reason: Reason = "", by: By = None, data_dir: DataDir = None
) -> None:
    """
    Put a published routing policy in force for the next orders of a channel, such as one that was before.

    Parameters
    ----------
    policy: str
        `NAME`, which means the highest version, or `NAME:VERSION`; `default`, which is built in, needs no publishing.
    """

    async def work(conn: AsyncConnection) -> None:
        name = await meant_channel(conn, channel)
        changed = await stored.activate_policy(conn, name, policy, by or operator(), reason, Clock().now())
        said = f"{changed.label} is in force" if changed else f"{policy} was in force already"
        sys.stderr.write(f"{said} for channel {name}\n")

    _with_database(data_dir, work)


def _with_database(data_dir: Path | None, work: Callable[[AsyncConnection], Awaitable[None]]) -> None:
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)

    async def begun() -> None:
        async with store(settings) as engine, engine.begin() as conn:
            await work(conn)

    run(settings, begun)
