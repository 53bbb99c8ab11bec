"""The directory that holds the embedded servers' data: usable, and used by one process at a time."""

import fcntl
import hashlib
import os
from pathlib import Path
from typing import IO

from orderloom.bootstrap.errors import DataDirectoryLocked, DataDirectoryUnusable

SOCKET_PATH_LIMIT = 107
"""Bytes that a Unix socket's path may have."""


class DataDirectory:
    """
    A data directory, locked until ``release``. The lock goes with the process, however that ends.

    Raises:
        DataDirectoryUnusable: it cannot be made or written.
        DataDirectoryLocked: another process has it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self._lock: IO[str] = self._open()
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.seek(0)
            owner = self._lock.read().strip() or "unknown"
            self._lock.close()
            raise DataDirectoryLocked(
                f"The data directory {self.path} is in use by process {owner}.", path=str(self.path), process=owner
            ) from error
        self._lock.seek(0)
        self._lock.truncate()
        self._lock.write(str(os.getpid()))
        self._lock.flush()

    def _open(self) -> IO[str]:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            return (self.path / "lock").open("a+")
        except OSError as error:
            raise DataDirectoryUnusable(
                f"The data directory {self.path} cannot be written: {error.strerror}.", path=str(self.path)
            ) from error

    def socket_directory(self) -> Path:
        """Return a directory for Unix sockets whose path is short enough; only this user may enter it."""
        beside = self.path / "run"
        if len(os.fsencode(beside / ".s.PGSQL.5432")) <= SOCKET_PATH_LIMIT:
            chosen = beside
        else:
            name = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]
            chosen = Path("/tmp") / f"orderloom-{os.geteuid()}-{name}"  # noqa: S108  # owner and mode are checked
        chosen.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() not in (chosen.stat().st_uid, 0):
            raise DataDirectoryUnusable(f"{chosen} belongs to another user.", path=str(chosen))
        return chosen

    def release(self) -> None:
        """Let another process have it."""
        self._lock.close()
