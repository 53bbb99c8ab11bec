"""Programs that run beside this process and never outlive it."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from time import monotonic

from orderloom.bootstrap.errors import PortInUse, ServerFailed

LAUNCHER = Path(__file__).with_name("launcher.py")


@dataclass(frozen=True)
class User:
    """A system user to run a program as."""

    uid: int
    gid: int


class Child:
    """A running program. It gets signal *death* when this process ends in whatever way."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        death: Signals,
        user: User | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start it; *environment* is added to this process's own."""
        self.name = name
        self.log = log
        as_user = (user.uid, user.gid) if user else (0, 0)
        launch = [sys.executable, "-I", "-S", str(LAUNCHER), *map(str, (death.value, *as_user, os.getpid()))]
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603  # our own servers
                [*launch, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=None if environment is None else {**os.environ, **environment},
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.status is None

    @property
    def status(self) -> int | None:
        """Its exit status, negative for the signal that ended it; None while it runs."""
        return self._process.poll()

    def raise_if_ended(self) -> None:
        """Raise ServerFailed with the end of its log when it is not running any more."""
        if not self.running:
            raise ServerFailed(
                f"{self.name} ended with status {self._process.returncode}; the end of {self.log}: {self._last_line()}",
                server=self.name,
            )

    def _last_line(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "(empty)"

    async def stop(self, how: Signals, grace: float) -> None:
        """Send signal *how* and wait; kill it when it has not ended after *grace* seconds."""
        if not self.running:
            return
        self._process.send_signal(how)
        ends = monotonic() + grace
        while self.running:
            if monotonic() > ends:
                self._process.kill()
            await asyncio.sleep(0.02)


def free_port(host: str = "127.0.0.1") -> int:
    """Return a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def claim_port(host: str, port: int, what: str) -> int:
    """
    Return *port* if nobody listens on it, or any free one for 0.

    Raises:
        PortInUse: another program listens on it.
    """
    if port == 0:
        return free_port(host)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortInUse(f"Port {port} of {host} for {what} is taken: {error.strerror}.", port=port) from error
    return port
