"""All of Orderloom in one process: for ``orderloom up``, the demo, scenarios and tests."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from socket import socket
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.worker import Worker

from activities import serving
from activities.processors import Processors
from api.app import create_app
from api.dependencies import PATIENCE, ApiDependencies
from orderloom.bootstrap import servers
from orderloom.bootstrap.builds import noted
from orderloom.bootstrap.clock import Clock
from orderloom.bootstrap.delivery import Courier
from orderloom.bootstrap.health import Health, database, workflows
from orderloom.bootstrap.http_server import HttpServer, listen
from orderloom.bootstrap.monitor import monitor_app
from orderloom.bootstrap.servers import Addresses, Connections
from orderloom.bootstrap.worker_process import worker_process
from orderloom.contracts.messages import Receipt
from orderloom.gateways.http import HttpGateway, connect
from orderloom.gateways.port import PaymentGateway
from orderloom.gateways.sandbox.app import create_gateway_app
from orderloom.gateways.sandbox.books import Books
from orderloom.persistence.vault import Vault
from orderloom.readmodels.backlog import Backlog, backlog
from orderloom.settings import Settings
from orderloom.telemetry.observers import Observers
from worker.health import polling
from worker.order_worker import asking_at_once, order_worker
from worker.outside_worker import outside_worker
from worker.relay import Relay
from worker.routing_worker import routing_worker
from worker.together import together
from workflows.order import OrderWorkflow

SANDBOX = "sandbox"
"""The name that payments of the sandbox gateway carry."""


class Part(StrEnum):
    """What a stack may run."""

    API = "api"
    GATEWAY = "gateway"
    RELAY = "relay"
    ORDERS = "orders"
    OUTSIDE = "outside"
    ROUTING = "routing"


EVERYTHING = tuple(Part)
WITHOUT_WORKERS = (Part.API, Part.GATEWAY, Part.RELAY)

type Activities = Sequence[Callable[..., Any]]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a stack is started with, beside the settings."""

    clock: Clock = field(default_factory=Clock)
    parts: Sequence[Part] = EVERYTHING
    worker_process: bool = False
    """Beside the parts, run workflows and outside calls in a process of their own."""
    durable: bool = True
    """False: the embedded servers keep nothing."""
    migrate: bool = True
    """False: refuse databases that are behind. During an upgrade, processes of two versions start beside each other."""
    patience: float = PATIENCE
    """Seconds that a request waits for its order before it is answered 202."""
    hang_seconds: float = 3.0
    """How long the sandbox gateway hangs when it is told to time out."""
    webhook_lag: float = 0.2
    """Seconds between an operation of the sandbox gateway and its webhook."""
    books: Path | str = ":memory:"
    """The sandbox gateway's file."""
    wrap: Callable[[Activities], Activities] = lambda activities: activities
    """Tests put faults around activities."""
    workflows: Sequence[type] = (OrderWorkflow,)
    """The benchmark runs another one in the order workflow's place."""
    tell: Callable[[str], None] = lambda _: None
    """Is told of each step that takes a while."""


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A running Orderloom. Addresses of parts that do not run are empty."""

    settings: Settings
    addresses: Addresses
    engine: AsyncEngine
    vault: Vault
    client: Client
    clock: Clock
    courier: Courier
    api_url: str
    gateway_url: str
    monitor_url: str

    @staticmethod
    @asynccontextmanager
    async def start(settings: Settings, options: Options | None = None) -> "AsyncGenerator[Stack]":
        """
        Start the servers that are not given, bring the databases up to date if wanted, and run the parts.

        At the end the API stops first, then the workers, the relay, the gateway, Temporal, PostgreSQL, the monitor.

        Raises:
            StartRefused: one of its subclasses says what is in the way; nothing is left running.
        """
        options = options or Options()
        async with AsyncExitStack() as stack:
            health = Health()
            listeners = _Listeners(settings, options.parts, stack)
            observers = await stack.enter_async_context(Observers.watching(settings))
            if listeners.monitor is not None:
                await _serve(monitor_app(health, observers.told), "monitor", settings, listeners.monitor, stack)
            addresses = await stack.enter_async_context(
                servers.embedded(settings, durable=options.durable, tell=options.tell)
            )
            await (servers.bring_up_to_date if options.migrate else servers.require_up_to_date)(addresses)
            connected = await _connect(settings, addresses, observers, stack)
            options.tell("starting workers")
            running = await _run_parts(
                settings, options, connected, listeners, observers=observers, health=health, stack=stack
            )
            with health.working():
                yield running

    async def deliver(self, intake_id: str, *, within: float = 30.0) -> Receipt | None:
        """
        Bring an intake row to its order and return what became of it; None when no worker answered in time.

        Raises:
            NotFound: there is no such row.
        """
        return await self.courier.bring(intake_id, within=within)


class _Listeners:
    """The HTTP ports, taken before anything else is started: a taken one is told at once."""

    def __init__(self, settings: Settings, parts: Sequence[Part], stack: AsyncExitStack) -> None:
        self.api = self._listen(settings.host, settings.api_port, "API", stack) if Part.API in parts else None
        wants_gateway = Part.GATEWAY in parts and settings.gateway_url is None
        self.gateway = (
            self._listen(settings.host, settings.gateway_port, "sandbox gateway", stack) if wants_gateway else None
        )
        port = settings.monitor_port
        self.monitor = None if port is None else self._listen(settings.host, port, "monitor", stack)

    @staticmethod
    def _listen(host: str, port: int, what: str, stack: AsyncExitStack) -> socket:
        listener = listen(host, port, what)
        stack.callback(listener.close)
        return listener


def url_of(settings: Settings, listener: socket | None) -> str:
    """Return the address of an HTTP port that was taken, or nothing without one."""
    return f"http://{settings.host}:{listener.getsockname()[1]}" if listener is not None else ""


async def _connect(
    settings: Settings, addresses: Addresses, observers: Observers, stack: AsyncExitStack
) -> Connections:
    connected = await stack.enter_async_context(
        servers.connections(settings, addresses, runtime=observers.runtime, interceptors=observers.interceptors)
    )
    observers.databases(connected.engine, connected.keys)
    return connected


async def _run_parts(
    settings: Settings,
    options: Options,
    connected: Connections,
    listeners: _Listeners,
    *,
    observers: Observers,
    health: Health,
    stack: AsyncExitStack,
) -> Stack:
    api_url = url_of(settings, listeners.api)
    gateway_url = settings.gateway_url or url_of(settings, listeners.gateway)
    courier = observers.courier(connected.client, connected.engine, options.clock, noted(settings))
    if listeners.gateway is not None:
        await _run_gateway(settings, options, api_url, listeners.gateway, stack)
    if Part.RELAY in options.parts:
        every = settings.doctor_every
        relay = Relay(connected.engine, connected.vault, courier, options.clock, examine_every=every)
        await _run_relay(relay, stack)
        health.needs(relay=relay.turning)
        observers.backlog(_backlog_of(relay, connected.engine, options.clock))
    if options.worker_process:
        process = await stack.enter_async_context(worker_process(settings, connected.addresses, gateway_url))
        health.needs(worker=process.alive)
    workers = await _make_workers(settings, options, connected, gateway_url, observers=observers, stack=stack)
    await stack.enter_async_context(together(workers))
    health.needs(**{worker.task_queue: polling(worker) for worker in workers})
    if listeners.api is not None:
        given = api_dependencies(connected, courier, options.clock, patience=options.patience)
        app = observers.api(create_app(given, observers.tracer_provider))
        await _serve(app, "API", settings, listeners.api, stack)
    if set(options.parts) != {Part.GATEWAY}:
        health.needs(
            database=database(connected.engine), keys=database(connected.keys), workflows=workflows(connected.client)
        )
    return Stack(
        settings=settings,
        addresses=connected.addresses,
        engine=connected.engine,
        vault=connected.vault,
        client=connected.client,
        clock=options.clock,
        courier=courier,
        api_url=api_url,
        gateway_url=gateway_url,
        monitor_url=url_of(settings, listeners.monitor),
    )


async def _make_workers(
    settings: Settings,
    options: Options,
    connected: Connections,
    gateway_url: str,
    *,
    observers: Observers,
    stack: AsyncExitStack,
) -> list[Worker]:
    workers: list[Worker] = []
    gateways: dict[str, PaymentGateway] = {}
    if Part.OUTSIDE in options.parts:
        http = await stack.enter_async_context(connect(gateway_url, traces=observers.requests))
        gateways[SANDBOX] = observers.gateway(HttpGateway(http, gateway_url))
        workers.append(outside_worker(connected.client, gateways, settings))
    if Part.ROUTING in options.parts:
        processors = stack.enter_context(Processors())
        workers.append(routing_worker(connected.client, connected.engine, processors, settings))
    if Part.ORDERS in options.parts:
        activities = serving.activities(
            connected.engine, connected.vault, gateways, asking_at_once=asking_at_once(settings)
        )
        workers.append(order_worker(connected.client, options.wrap(activities), settings, options.workflows))
    return workers


def _backlog_of(relay: Relay, engine: AsyncEngine, clock: Clock) -> Callable[[], Awaitable[Backlog | None]]:
    async def read() -> Backlog | None:
        """Of several relays only the one that leads tells, so that nothing is told twice."""
        if not relay.leading:
            return None
        async with engine.connect() as conn:
            return await backlog(conn, clock.now(), relay.examined)

    return read


def api_dependencies(
    connected: Connections, courier: Courier, clock: Clock, *, patience: float = PATIENCE
) -> ApiDependencies:
    """Return what the API is given."""
    return ApiDependencies(
        engine=connected.engine,
        vault=connected.vault,
        clock=clock,
        deliver=courier,
        whereabouts=courier.whereabouts,
        workflows_ready=workflows(connected.client),
        patience=patience,
    )


async def _run_gateway(
    settings: Settings, options: Options, api_url: str, listener: socket, stack: AsyncExitStack
) -> None:
    books = Books(options.books)
    stack.callback(books.close)
    app = create_gateway_app(
        books,
        f"{api_url}/v1/gateways/{SANDBOX}/webhooks" if api_url else settings.sandbox_webhook_url,
        hang_seconds=options.hang_seconds,
        webhook_lag=options.webhook_lag,
    )
    await _serve(app, "sandbox gateway", settings, listener, stack)


async def _serve(
    app: Callable[..., Any], what: str, settings: Settings, listener: socket, stack: AsyncExitStack
) -> None:
    server = await HttpServer.start(app, what, settings.host, listener)
    stack.push_async_callback(server.stop)


async def _run_relay(relay: Relay, stack: AsyncExitStack) -> None:
    task = asyncio.create_task(relay.run())

    async def stop() -> None:
        relay.stop()
        await task

    stack.push_async_callback(stop)
