"""Load generators: how this process runs one beside it, and how one tells how far it is."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Coroutine
from typing import Any, cast

import uvloop

from orderloom.benchmark.errors import LoadFailed
from orderloom.domain.model import Frozen

type Told = Callable[[int], None]
"""Is told how many have ended."""
type Begins = Callable[[str, int], Told]
"""Is told what begins and how many there will be; returns who is told how many have ended."""

LONGEST_REPORT = 64 * 1024 * 1024
"""Bytes."""


def tell(ended: int) -> None:
    """Say, in a load generator, how many have ended; 0 says that from here on it counts."""
    sys.stderr.write(f"{ended}\n")
    sys.stderr.flush()


def perform[O: Frozen, R: Frozen](order: type[O], run: Callable[[O], Coroutine[Any, Any, R]]) -> None:
    """Be a load generator: run the order that the first argument holds as JSON, and print the report as JSON."""
    try:
        report = asyncio.run(run(order.model_validate_json(sys.argv[1])), loop_factory=uvloop.new_event_loop)
    except Exception as error:  # noqa: BLE001  # whatever it is, whoever waits gets it as one line
        sys.exit(_cause(error))
    sys.stdout.write(report.model_dump_json())


def _cause(error: Exception) -> str:
    """Return the first thing that went wrong; a group of tasks that fails wraps it."""
    found: BaseException = error
    while isinstance(found, BaseExceptionGroup):
        found = cast("BaseExceptionGroup[BaseException]", found).exceptions[0]
    return f"{type(found).__name__}: {found}"


async def generate[R: Frozen](module: str, order: Frozen, report: type[R], told: Told) -> R:
    """
    Run the load generator *module* in a process of its own, and return its report. It never outlives this call.

    Args:
        told: is called with each number that it tells.

    Raises:
        LoadFailed: it ended without a report.
    """
    command = (sys.executable, "-m", module, order.model_dump_json())
    # Out of reach of Ctrl-C: whoever waits for it here ends it.
    running = await asyncio.create_subprocess_exec(
        *command, stdout=PIPE, stderr=PIPE, limit=LONGEST_REPORT, start_new_session=True
    )
    try:
        trouble, said = await asyncio.gather(_listen(running, told), _read(running))
        await running.wait()
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()
    if running.returncode:
        raise LoadFailed(f"{module} gave up: {trouble or 'nothing was said'}.")
    return report.model_validate_json(said)


async def _listen(running: Process, told: Told) -> str:
    """Pass on what is told, and return the last line that is no number."""
    assert running.stderr is not None
    trouble = ""
    async for line in running.stderr:
        text = line.decode(errors="replace").strip()
        if text.isdecimal():
            told(int(text))
        else:
            trouble = text or trouble
    return trouble


async def _read(running: Process) -> bytes:
    assert running.stdout is not None
    return await running.stdout.read()
