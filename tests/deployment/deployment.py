"""The stack of the Compose file as processes of this machine: the same commands, with the same environment."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from orderloom.bootstrap.children import free_port
from orderloom.bootstrap.processes import Process
from tests.deployment.compose import ours, services
from tests.deployment.proxy import Proxy
from tests.workflows.shop import Shop


@dataclass(kw_only=True)
class Ways:
    """Where the servers of the Compose file are on this machine; those that can be cut are ways of the test's own."""

    postgres: Proxy
    temporal: Proxy
    namespace: str
    directory: Path
    api: int = field(default_factory=free_port)
    gateway: int = field(default_factory=free_port)

    def environment(self, service: str, gateway: str | None = None) -> dict[str, str]:
        """Return what the Compose file gives to *service*, with this machine's addresses."""
        here = {
            "postgres:5432": self.postgres.address,
            "temporal:7233": self.temporal.address,
            "gateway:8090": gateway or f"127.0.0.1:{self.gateway}",
            "api:8080": f"127.0.0.1:{self.api}",
            "0.0.0.0": "127.0.0.1",
        }
        given = dict(services()[service]["environment"])
        for there, address in here.items():
            given = {name: value.replace(there, address) for name, value in given.items()}
        return {
            **given,
            "ORDERLOOM_TEMPORAL_NAMESPACE": self.namespace,
            "ORDERLOOM_DATA_DIR": str(self.directory),
            "ORDERLOOM_API_PORT": str(self.api),
            "ORDERLOOM_GATEWAY_PORT": str(self.gateway),
            "ORDERLOOM_MONITOR_PORT": str(free_port()),
        }

    def process(self, service: str, name: str = "", gateway: str | None = None) -> Process:
        """Return the process of a service, not started."""
        return Process(
            " ".join(ours()[service]["command"]),
            name=name,
            directory=self.directory,
            environment=self.environment(service, gateway),
        )


class Deployment:
    """
    The running processes of the Compose file.

    Attributes:
        ways: to the servers.
        processes: by name, which is that of the service and a number.
        to_gateway: each worker's own way to the gateway, by the worker's name.
    """

    def __init__(self, ways: Ways, shop: Shop, http: httpx.AsyncClient) -> None:
        """Take what there is before the first process."""
        self.ways = ways
        self.shop = shop
        self.processes: dict[str, Process] = {}
        self.to_gateway: dict[str, Proxy] = {}
        self._http = http

    @staticmethod
    @asynccontextmanager
    async def start(ways: Ways, shop: Shop) -> "AsyncGenerator[Deployment]":
        """Start as many processes of each service as the Compose file says, and stop them at the end."""
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(httpx.AsyncClient(timeout=10))
            deployment = Deployment(ways, shop, http)
            for role in ("gateway", "worker", "relay", "api"):
                for number in range(1, services()[role]["deploy"].get("replicas", 1) + 1):
                    name = f"{role}-{number}"
                    way = await stack.enter_async_context(Proxy.to(f"127.0.0.1:{ways.gateway}"))
                    process = ways.process(role, name, way.address)
                    deployment.to_gateway[name] = way
                    deployment.processes[name] = process
                    stack.push_async_callback(process.stop)
                    await process.start()
            yield deployment

    async def asked(self, name: str, what: str) -> tuple[int, Mapping[str, Any]]:
        """Ask a process's monitor whether it is ``live`` or ``ready``."""
        port = self.processes[name].environment["ORDERLOOM_MONITOR_PORT"]
        answer = await self._http.get(f"http://127.0.0.1:{port}/health/{what}")
        return answer.status_code, answer.json()

    async def all_asked(self, what: str) -> dict[str, tuple[int, Mapping[str, Any]]]:
        """Ask all processes."""
        return {name: await self.asked(name, what) for name in self.processes}

    async def until_asked(self, names: list[str], answer: tuple[int, Mapping[str, Any]]) -> None:
        """Wait until each of the processes answers so when it is asked whether it is ready."""

        async def look() -> bool | None:
            return all([await self.asked(name, "ready") == answer for name in names]) or None

        await self.shop.until(look, lambda: f"{names} to answer {answer}")

    async def stop(self, *names: str) -> None:
        """Send SIGTERM to processes, one after the other, and hold each to it that it ends well."""
        for name in names:
            process = self.processes[name]
            await process.stop()
            assert process.status == 0, f"{name} ended with {process.status}: {process.log.read_text()[-2000:]}"
