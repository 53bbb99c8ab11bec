"""`world load`: channels, products, prices, locations and stock from a file, with the flows that are in force."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from pydantic import ValidationError
from ruamel.yaml import YAML, YAMLError

from flows_dsl import prebuilt
from flows_dsl.composing import compose, written
from orderloom.bootstrap.clock import Clock
from orderloom.bootstrap.database import create_engine
from orderloom.cli.database import database_url
from orderloom.cli.running import run
from orderloom.contracts.flows import Written
from orderloom.domain.errors import InvalidInput
from orderloom.persistence.flows import publish
from orderloom.persistence.migrate import upgrade
from orderloom.persistence.world import World, load_world
from orderloom.settings import Settings

world_app = App(name="world", help="What orders are placed in: channels, products, locations, stock.")


class WorldInvalid(InvalidInput):
    """The file does not describe a world.

    Correct what the sentence names; nothing was changed.
    """

    code = "world.invalid"


@world_app.command(name="load")
def load_file(
    file: Path,
    *,
    flow: Annotated[
        list[Path] | None, Parameter(help="A flow of your own, in place of the prebuilt one it names.")
    ] = None,
    data_dir: Annotated[Path | None, Parameter(help="Where the servers keep their data. [default: .orderloom]")] = None,
) -> None:
    """
    Load FILE (YAML) and put the prebuilt flows in force for its channels, for new orders.

    New things are added, known ones replaced, stock is set; what is reserved stays reserved. It may run while
    `orderloom up` does.

    Parameters
    ----------
    file: Path
        The world; `docs/tutorial/first-order.md` shows one.
    """
    world = read_world(file)
    release = compose(flows_in_force([_flow(path) for path in flow or ()]), channel="")
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)

    async def work() -> None:
        async with database_url(settings) as url:
            await upgrade(url)
            engine = create_engine(url, pooled=False)
            async with engine.begin() as conn:
                now = Clock().now()
                pin = await publish(conn, release, now)
                channels = [each.model_copy(update={"release": pin.release}) for each in world.channels]
                await load_world(conn, world.model_copy(update={"channels": channels}), now)
            await engine.dispose()
        names = ", ".join(channel.id for channel in channels) or "none"
        sys.stdout.write(f"loaded {file}; channels: {names}; release {pin.release}\n")

    run(settings, work)


def read_world(file: Path) -> World:
    """
    Return the world in *file*.

    Raises:
        WorldInvalid: it cannot be read, is no YAML, or is no world; the first thing wrong is named.
    """
    try:
        read: object = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))  # pyright: ignore[reportUnknownMemberType]
        return World.model_validate(read)
    except OSError as error:
        raise WorldInvalid(f"{file} cannot be read: {error.strerror}.") from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise WorldInvalid(f"{file} is no YAML: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(str(part) for part in first["loc"])
        raise WorldInvalid(f"{file}: {where}: {first['msg']}.") from error


def flows_in_force(own: list[Written]) -> list[Written]:
    """Return the prebuilt flows of the default release, with *own* ones in place of those they are named like."""
    by_name = {flow.name: flow for flow in own}
    shipped = [written(f"prebuilt/{name}.yaml", prebuilt.text(name)) for name in prebuilt.DEFAULT_RELEASE]
    return [by_name.pop(flow.name, flow) for flow in shipped] + list(by_name.values())


def _flow(path: Path) -> Written:
    try:
        return written(str(path), path.read_text(encoding="utf-8"))
    except OSError as error:
        raise WorldInvalid(f"{path} cannot be read: {error.strerror}.") from error
