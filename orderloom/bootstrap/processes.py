"""The commands of a deployment, run beside this process: started, stopped, killed, and started again."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from signal import SIGKILL, SIGTERM

from orderloom.bootstrap.children import Child

READY = "ready"
"""The word that a command prints when it does its work."""
GRACE = 20.0
"""Seconds that a process may take to finish what is under way."""


class Process:
    """``orderloom ROLE`` in a process of its own, which never outlives this one."""

    def __init__(self, role: str, *, directory: Path, environment: Mapping[str, str], name: str = "") -> None:
        """
        Take what it runs with.

        Args:
            role: the command, such as ``worker``; words of a longer one are separated by spaces.
            directory: where its log is kept, as ``NAME.log``.
            environment: added to this process's own.
            name: what it is called; the role unless given.
        """
        self.role = role
        self.name = name or role
        self.log = directory / f"{self.name}.log"
        self.environment = dict(environment)
        self._child: Child | None = None

    @property
    def pid(self) -> int:
        """Its process id; only while it runs."""
        assert self._child is not None, f"{self.name} was never started"
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._child is not None and self._child.running

    @property
    def status(self) -> int | None:
        """Its exit status, negative for the signal that ended it; None while it runs."""
        assert self._child is not None, f"{self.name} was never started"
        return self._child.status

    async def alive(self) -> None:
        """
        Return if it runs.

        Raises:
            ServerFailed: it has ended; the error names the end of its log.
        """
        assert self._child is not None, f"{self.name} was never started"
        self._child.raise_if_ended()

    async def start(self) -> str:
        """
        Start it, and return what it says when it is ready: its addresses, if it has any.

        Raises:
            ServerFailed: it ended before it was ready.
        """
        said_before = self.log.stat().st_size if self.log.exists() else 0
        command = [str(Path(sys.executable).with_name("orderloom")), *self.role.split()]
        child = Child(f"the {self.name}", command, log=self.log, death=SIGTERM, environment=self.environment)
        self._child = child
        while True:
            lines = self.log.read_bytes()[said_before:].decode(errors="replace").splitlines(keepends=True)
            for line in lines:
                if f": {READY}" in line and line.endswith("\n"):
                    return line.partition(f": {READY}")[2].strip()
            child.raise_if_ended()
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """Ask it to finish what is under way and end; kill it when it takes too long."""
        if self._child is not None:
            await self._child.stop(SIGTERM, GRACE)

    async def kill(self) -> None:
        """End it at once, whatever it is at."""
        if self._child is not None:
            await self._child.stop(SIGKILL, GRACE)
