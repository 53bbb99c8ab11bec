"""Orderloom as production runs it, on this machine: servers of its own, and a process for each role."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
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
        namespaces: Sequence[str] = (),
        tell: Callable[[str], None] = lambda _: None,
    ) -> "AsyncGenerator[Fleet]":
        """
        Start everything on *directory*, at full durability, and stop it at the end: processes first, then servers.

        Args:
            directory: data and logs; PostgreSQL's own user must be able to enter it.
            workers: how many worker processes.
            settings: environment variables for the processes, beside the addresses.
            namespaces: names of deployments that will run ``beside`` this one.
            tell: is told of each step that takes a while.

        Raises:
            StartRefused: one of its subclasses says what is in the way; nothing is left running.
        """
        async with AsyncExitStack() as stack:
            servers = await _start_servers(directory, namespaces, stack, tell)
            own = servers.directory.path
            shared = {**environment(servers.addresses, own), "TEMPORAL_NAMESPACE": "default", **(settings or {})}
            fleet = _planned(servers, own, ["worker"] * workers, shared)
            tell("starting the processes")
            await _start_processes(fleet, stack)
            yield fleet

    @asynccontextmanager
    async def beside(self, name: str, worker: str) -> "AsyncGenerator[Fleet]":
        """
        Run a second deployment on the same servers, with the same settings, and stop its processes at the end.

        Args:
            name: of its namespace, its databases, and its directory in that of the servers.
            worker: the command that its workers run; it has as many as this one.
        """
        directory = self.servers.directory.path / name
        directory.mkdir(exist_ok=True)
        addresses = await _addresses(self.servers.postgres, self.servers.temporal, name)
        shared = {**self.environment, **environment(addresses, directory), "TEMPORAL_NAMESPACE": name}
        fleet = _planned(replace(self.servers, addresses=addresses), directory, [worker] * len(self.workers), shared)
        async with AsyncExitStack() as stack:
            await _start_processes(fleet, stack)
            yield fleet


async def _start_servers(
    path: Path, namespaces: Sequence[str], stack: AsyncExitStack, tell: Callable[[str], None]
) -> Servers:
    directory = DataDirectory(path)
    stack.callback(directory.release)
    tell("starting PostgreSQL")
    postgres = await EmbeddedPostgres.start(directory)
    stack.push_async_callback(postgres.stop)
    tell("starting Temporal")
    temporal = await EmbeddedTemporal.start(directory.path, namespaces=namespaces)
    stack.push_async_callback(temporal.stop)
    addresses = await _addresses(postgres, temporal, "orderloom")
    return Servers(directory=directory, postgres=postgres, temporal=temporal, addresses=addresses)


async def _addresses(postgres: EmbeddedPostgres, temporal: EmbeddedTemporal, database: str) -> Addresses:
    addresses = Addresses(
        database_url=await postgres.ensure_database(database),
        keys_url=await postgres.ensure_database(f"{database}_keys"),
        temporal_address=temporal.address,
    )
    await bring_up_to_date(addresses)
    return addresses


async def _start_processes(fleet: Fleet, stack: AsyncExitStack) -> None:
    for process in (fleet.gateway, *fleet.workers, fleet.relay, fleet.api):
        stack.push_async_callback(process.stop)
        await process.start()


def _planned(servers: Servers, directory: Path, workers: Sequence[str], shared: Mapping[str, str]) -> Fleet:
    """Return the fleet with its ports chosen and its processes not started."""
    api_port, gateway_port = free_port(), free_port()
    api_url, gateway_url = f"http://127.0.0.1:{api_port}", f"http://127.0.0.1:{gateway_port}"
    hooks = f"{api_url}/v1/gateways/sandbox/webhooks"

    def process(role: str, name: str = "", **more: str) -> Process:
        return Process(role, name=name, directory=directory, environment={**shared, **more})

    return Fleet(
        servers=servers,
        environment=dict(shared),
        gateway=process("gateway", ORDERLOOM_GATEWAY_PORT=str(gateway_port), ORDERLOOM_SANDBOX_WEBHOOK_URL=hooks),
        workers=tuple(
            process(role, f"worker-{number}", ORDERLOOM_GATEWAY_URL=gateway_url)
            for number, role in enumerate(workers, start=1)
        ),
        relay=process("relay"),
        api=process("api", ORDERLOOM_API_PORT=str(api_port)),
        api_url=api_url,
        gateway_url=gateway_url,
    )
