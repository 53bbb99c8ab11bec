"""Searching at once and in processes of one's own."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from activities.processors import Processors
from activities.searches import _search
from activities.searching import searched, small
from orderloom.domain.eligibility import LocationFacts
from orderloom.domain.parts import Part
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.domain.situation import Destination, Situation


def situation(locations: int, lines: int = 1) -> Situation:
    """Return an order of *lines* lines that any of *locations* locations can send."""
    skus = [f"S{number}" for number in range(lines)]
    return Situation(
        now=datetime(2026, 3, 2, tzinfo=UTC),
        channel="web",
        value=1,
        parts=(Part(delivery_group="1", kind="warehouse", demand=dict.fromkeys(skus, 1)),),
        destinations={"1": Destination(country="AT")},
        locations=tuple(
            LocationFacts(id=f"L{number:03}", country="AT", stock=dict.fromkeys(skus, 1)) for number in range(locations)
        ),
    )


@pytest.mark.parametrize(("locations", "lines", "is_small"), [(30, 20, True), (31, 1, False), (1, 21, False)])
def test_thirty_locations_and_twenty_lines_are_small(locations: int, lines: int, *, is_small: bool) -> None:
    """More locations, or more lines, are not searched by an order's own worker."""
    assert small(situation(locations, lines)) is is_small


async def test_another_process_finds_the_same_and_ends_with_its_owner() -> None:
    """The answer is that of a search here; the process is another one, and gone when its owner is done."""
    policy, asked = RoutingPolicy(), situation(3)

    with Processors() as processors:
        found = await processors.run(_search, policy, asked)
        [pid] = list(processors._pool._processes)

    here = searched(policy, asked).model_dump(mode="json")
    assert _timeless(found) == _timeless(here)
    assert pid != os.getpid()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_killed_process_is_replaced() -> None:
    """The search that it was at fails, to be tried again; the next one is answered by a new process."""
    policy, asked = RoutingPolicy(), situation(3)
    with Processors() as processors:
        first = await processors.run(_search, policy, asked)
        [pid] = list(processors._pool._processes)
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(20):
            with pytest.raises(BrokenProcessPool):
                await processors.run(_search, policy, asked)

        again = await processors.run(_search, policy, asked)

        assert _timeless(again) == _timeless(first)
        assert list(processors._pool._processes) != [pid]


def _timeless(attempted: object) -> object:
    """Return the attempt without how long it took."""
    match attempted:
        case dict():
            return {key: _timeless(value) for key, value in attempted.items() if key != "seconds"}
        case list():
            return [_timeless(each) for each in attempted]
        case _:
            return attempted


_OWNER = """
import asyncio
from activities.processors import Processors
from activities.searches import _search
from orderloom.domain.routing_policy import RoutingPolicy
from tests.unit.activities.test_searching import situation

async def main():
    processors = Processors()
    await processors.run(_search, RoutingPolicy(), situation(3))
    print(*processors._pool._processes, flush=True)
    await asyncio.Event().wait()

if __name__ == "__main__":
    asyncio.run(main())
"""


async def test_a_process_does_not_outlive_its_killed_owner(tmp_path: Path) -> None:
    """The worker is killed, which tells nobody anything; the process that searched for it ends all the same."""
    script = tmp_path / "owner.py"
    script.write_text(_OWNER)
    root = str(Path(__file__).parents[3])
    owner = await asyncio.create_subprocess_exec(
        sys.executable, str(script), cwd=root, env={**os.environ, "PYTHONPATH": root}, stdout=PIPE
    )
    assert owner.stdout is not None
    async with asyncio.timeout(30):
        searching = psutil.Process(int(await owner.stdout.readline()))
    assert searching.is_running()

    owner.kill()
    await owner.wait()

    await asyncio.to_thread(searching.wait, 10)
    assert not searching.is_running()
