"""The command line, run in a process of its own that has imported everything already: that takes it seconds."""

import asyncio
import os
import sys
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

_processes = get_context("forkserver")
_processes.set_forkserver_preload(["orderloom.cli.flows", "orderloom.cli.policies", "tests.command"])


async def orderloom(*words: str, **environment: str) -> tuple[int | None, str]:
    """Run ``orderloom`` with these words in this *environment* alone; return its exit status and stdout."""
    with TemporaryDirectory(prefix="ol-") as folder:
        out = Path(folder) / "stdout"
        process = _processes.Process(target=_run, args=(words, environment, out))
        process.start()
        await asyncio.to_thread(process.join)
        return process.exitcode, out.read_text("utf-8")


def _run(words: tuple[str, ...], environment: dict[str, str], out: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(os.open(out, os.O_WRONLY | os.O_CREAT), 1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    sys.argv = ["orderloom", *words]
    from orderloom.cli import main  # noqa: PLC0415  # imported by the process that this one was forked from

    main()
