"""The tutorial on a flow of one's own, followed word for word."""

import asyncio
import json
import os
import re
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import pytest

from tests.integration.test_up import Up, data_dir, up

__all__ = ["data_dir", "up"]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tutorial" / "approval-flow.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
ENDS = {"./run flows diff prebuilt examples/approval": 1}
"""Exit statuses that the page announces."""


class Terminal:
    """Runs the page's commands as they stand there, on the servers of this test."""

    def __init__(self, directory: Path, api: str) -> None:
        """Take the data directory, and the address of the API."""
        self._api = api
        runs = f"{sys.executable} -c 'from orderloom.cli import main; main()'"
        self._prelude = f'orderloom() {{ {runs} "$@"; }}\n'
        port = api.rpartition(":")[2]
        self._environment = {**os.environ, "ORDERLOOM_DATA_DIR": str(directory), "ORDERLOOM_API_PORT": port}

    async def type(self, command: str) -> str:
        """Run *command*; return what it says."""
        text = command.replace("./run ", "orderloom ").replace("http://127.0.0.1:8080", self._api)
        shell = await asyncio.create_subprocess_exec(
            "sh", "-c", f"{self._prelude}{text}", stdout=PIPE, stderr=STDOUT, cwd=ROOT, env=self._environment
        )
        async with asyncio.timeout(60):
            said, _ = await shell.communicate()
        assert shell.returncode == ENDS.get(command, 0), f"{command}\n{said.decode()}"
        return said.decode()

    async def until(self, command: str, found: str) -> str:
        """Run *command* until it says *found*: what it shows takes a moment."""
        async with asyncio.timeout(60):
            while found not in (said := await self.type(command)):  # noqa: ASYNC110  # a server sets no event of ours
                await asyncio.sleep(0.2)
        return said


async def test_the_tutorial_works_as_it_stands(up: Up) -> None:
    """Each command of the page ends as the page says, and a large order waits until it is approved."""
    assert COMMANDS[0] == "./run up"
    terminal = Terminal(up.data_dir, await up.ready(await up.start()))

    for command in COMMANDS[1:]:
        match command.split()[:3]:
            case ["./run", "exceptions", "list"]:
                said = await terminal.until(command, "100001-X1")
                assert "approval.needed" in said
            case ["curl", "-s", url] if url.endswith("/journal"):
                said = await terminal.until(command, "order.released")
                types = [event["type"] for event in json.loads(said)["items"]]
                assert types.index("shop.order.approved") < types.index("order.released")
            case _:
                said = await terminal.type(command)
        if command.startswith("./run flows test"):
            assert "11 of 11 tasks and catches taken" in said
            assert "none failed" in said
        if command.startswith("./run flows diagram"):
            boxes = {
                line.split('"')[1].partition("<br/>")[0]: line.strip() for line in said.splitlines() if "<br/>" in line
            }
            id = re.match(r"\w+", boxes["approve"])
            assert id is not None
            assert f"    class {id[0]} failed" in said.splitlines()
            assert "    classDef done" in said
        if command.startswith("./run flows diff"):
            assert "approve" in said


def test_the_page_shows_what_the_files_hold() -> None:
    """The tasks and the case on the page are those of the example."""
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    flow, cases = (
        (ROOT / "examples" / "approval" / name).read_text() for name in ("place-order.yaml", "place-order.test.yaml")
    )

    assert len(blocks) == 2
    assert blocks[0] in flow
    assert blocks[1] in cases


def test_the_example_is_the_prebuilt_flow_with_two_tasks_more() -> None:
    """Nothing else of the flow that ships was changed."""
    ours = (ROOT / "examples" / "approval" / "place-order.yaml").read_text()
    ships = (ROOT / "flows_dsl" / "prebuilt" / "place-order.yaml").read_text()
    begin, end = ours.index("  - approve:"), ours.index("  - release:")

    without = ours[:begin] + ours[end:]
    assert without.replace("1.1.0", "1.0.0").partition("\n")[2] == ships.partition("\n")[2]


pytestmark = pytest.mark.timeout(240)
