"""Orderloom as production runs it, on this machine: servers of its own, and a process for each role."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from orderloom.bootstrap.children import free_port
from orderloom.bootstrap.data_directory import DataDirectory
from orderloom.bootstrap.embedded_postgres import EmbeddedPostgres
from orderloom.bootstrap.embedded_temporal import EmbeddedTemporal
from orderloom.bootstrap.processes import Process
from orderloom.bootstrap.servers import Addresses, bring_up_to_date, environment


@dataclass(kw_only=True)
class Servers:
    """The servers of a fleet, and the directory that holds their data and everyone's logs."""

    directory: DataDirectory
    postgres: EmbeddedPostgres
    temporal: EmbeddedTemporal
    addresses: Addresses


@dataclass(kw_only=True)
class Fleet:
    """
    Servers and processes that run. Each keeps its address when it is started again.

    Attributes:
        environment: what all processes run with; another process that gets it belongs to the same deployment.
    """

    servers: Servers
    environment: dict[str, str]
    gateway: Process
    workers: tuple[Process, ...]
    relay: Process
    api: Process
    api_url: str
    gateway_url: str

    @staticmethod
    @asynccontextmanager
    async def start(
        directory: Path,
        *,
        workers: int = 1,
        settings: Mapping[str, str] | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> "AsyncGenerator[Fleet]":
        """
        Start everything on *directory*, at full durability, and stop it at the end: processes first, then servers.

        Args:
            directory: data and logs; PostgreSQL's own user must be able to enter it.
            workers: how many worker processes.
            settings: environment variables for the processes, beside the addresses.
            tell: is told of each step that takes a while.

        Raises:
            StartRefused: one of its subclasses says what is in the way; nothing is left running.
        """
        async with AsyncExitStack() as stack:
            fleet = _planned(await _start_servers(directory, stack, tell), workers, settings or {})
            tell("starting the processes")
            for process in (fleet.gateway, *fleet.workers, fleet.relay, fleet.api):
                stack.push_async_callback(process.stop)
                await process.start()
            yield fleet


async def _start_servers(path: Path, stack: AsyncExitStack, tell: Callable[[str], None]) -> Servers:
    directory = DataDirectory(path)
    stack.callback(directory.release)
    tell("starting PostgreSQL")
    postgres = await EmbeddedPostgres.start(directory)
    stack.push_async_callback(postgres.stop)
    tell("starting Temporal")
    temporal = await EmbeddedTemporal.start(directory.path)
    stack.push_async_callback(temporal.stop)
    addresses = Addresses(
        database_url=await postgres.ensure_database("orderloom"),
        keys_url=await postgres.ensure_database("orderloom_keys"),
        temporal_address=temporal.address,
    )
    await bring_up_to_date(addresses)
    return Servers(directory=directory, postgres=postgres, temporal=temporal, addresses=addresses)


def _planned(servers: Servers, workers: int, settings: Mapping[str, str]) -> Fleet:
    """Return the fleet with its ports chosen and its processes not started."""
    api_port, gateway_port = free_port(), free_port()
    api_url, gateway_url = f"http://127.0.0.1:{api_port}", f"http://127.0.0.1:{gateway_port}"
    directory = servers.directory.path
    shared = {**environment(servers.addresses, directory), **settings}
    hooks = f"{api_url}/v1/gateways/sandbox/webhooks"

    def process(role: str, name: str = "", **more: str) -> Process:
        return Process(role, name=name, directory=directory, environment={**shared, **more})

    return Fleet(
        servers=servers,
        environment=shared,
        gateway=process("gateway", ORDERLOOM_GATEWAY_PORT=str(gateway_port), ORDERLOOM_SANDBOX_WEBHOOK_URL=hooks),
        workers=tuple(
            process("worker", f"worker-{number}", ORDERLOOM_GATEWAY_URL=gateway_url) for number in range(1, workers + 1)
        ),
        relay=process("relay"),
        api=process("api", ORDERLOOM_API_PORT=str(api_port)),
        api_url=api_url,
        gateway_url=gateway_url,
    )
