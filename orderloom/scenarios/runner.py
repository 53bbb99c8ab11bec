"""Runs scenario files against one running system, case after case, and says what differs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic

import httpx

from orderloom.domain.model import Frozen
from orderloom.scenarios.case import Case
from orderloom.scenarios.clerk import TIMEOUT, Clerk
from orderloom.scenarios.commands import Writer
from orderloom.scenarios.document import read_cases
from orderloom.scenarios.names import Namespace
from orderloom.scenarios.session import Found, Servers, Session


class Verdict(Frozen):
    """How a case ended."""

    file: str
    title: str
    found: tuple[Found, ...]
    """Empty when everything is as demanded."""
    steps: int
    seconds: float


def read_all(paths: Sequence[Path]) -> list[Case]:
    """
    Read scenario files, and the ``*.yaml`` files of folders, before anything is started.

    Raises:
        ScenarioInvalid: with every problem of the first file that has any.
    """
    files = [file for path in paths for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]
    return [case for file in files for case in read_cases(file)]


async def run_cases(
    cases: Sequence[Case], servers: Servers, tell: Callable[[Verdict], None], *, prefix: str = "k"
) -> list[Verdict]:
    """
    Run *cases* one after the other; their clock only goes forward.

    Args:
        tell: called with each verdict as it comes.
        prefix: begins the ids of every case; give another one when the database has seen cases before.
    """
    verdicts: list[Verdict] = []
    async with (
        httpx.AsyncClient(base_url=servers.api_url, timeout=TIMEOUT) as api,
        httpx.AsyncClient(base_url=servers.gateway_url, timeout=TIMEOUT) as gateway,
    ):
        for number, case in enumerate(cases, start=1):
            names = Namespace(prefix=f"{prefix}{number}")
            clerk = Clerk(api, gateway, Writer(case.world, names), names)
            started = monotonic()
            found = await Session(case, names, servers, clerk).run()
            verdict = Verdict(
                file=case.file,
                title=case.title,
                found=tuple(found),
                steps=len(case.steps),
                seconds=monotonic() - started,
            )
            verdicts.append(verdict)
            tell(verdict)
    return verdicts
