"""The how-to on writing a routing policy, followed word for word; with it the commands `orderloom policies`."""

import re
from pathlib import Path

import pytest

from tests.integration.test_tutorial import Terminal
from tests.integration.test_up import Up, data_dir, up

__all__ = ["data_dir", "up"]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "write-a-routing-policy.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
SAYS = {
    "./run policies check": "1 policy checked, 0 with findings",
    "./run policies publish": "one-parcel:1.0.0 is published",
    "./run policies activate": "one-parcel:1.0.0 is in force for channel shop",
    "./run policies list": "shop",
    "./run policies show": "name: one-parcel",
    "./run policies shadow": "attempts differ",
    "./run orders route-preview": "one-parcel:1.0.0",
    "./run orders why": "one-parcel:1.0.0",
}


async def test_the_page_works_as_it_stands(up: Up) -> None:
    """Each command says what it must: staged it routes nothing yet, activated it routes the next order."""
    assert COMMANDS[0] == "./run up"
    terminal = Terminal(up.data_dir, await up.ready(await up.start()))
    told: set[str] = set()

    for command in COMMANDS[1:]:
        said = next((words for words in SAYS if command.startswith(words)), "")
        if command.startswith("./run orders route-preview"):
            await terminal.until("./run orders why 100001", "default:1.0.0")
        if command.startswith("./run orders why"):
            await terminal.until(command, SAYS[said])
        answer = await terminal.type(command)
        assert SAYS.get(said, "") in answer, command
        if "--stage" in command:
            assert "in force" not in answer
        told.add(said)

    assert told - {""} == set(SAYS)


async def test_what_cannot_be_published_or_put_in_force_says_why(up: Up, tmp_path: Path) -> None:
    """Findings by line; other content under a version; an unknown policy or channel: nothing is changed by them."""
    policy = tmp_path / "near.yaml"
    policy.write_text("name: near\nversion: 1.0.0\nobjectives: [distance]\n")
    terminal = Terminal(up.data_dir, await up.ready(await up.start()))
    await terminal.type("./run world load examples/tutorial/world.yaml")
    assert "in force for channel shop" in await terminal.type(f"./run policies publish {policy}")
    assert "was in force already" in await terminal.type(f"./run policies publish {policy}")

    async def refused(command: str) -> str:
        return await terminal.type(f"! {command}")

    before = await terminal.type("./run policies list --format json")
    policy.write_text("name: near\nversion: 1.0.0\nobjectives: [carbon]\n")
    assert "says something else" in await refused(f"./run policies publish {policy}")
    policy.write_text("name: near\nversion: 1.1.0\nobjectives: [distanse]\n")
    for command in ("check", "publish", "shadow"):
        assert ":3:" in await refused(f"./run policies {command} {policy}")
    assert "There is no routing policy far" in await refused("./run policies activate far")
    assert "There is no routing policy near:2.0.0" in await refused("./run policies show near:2.0.0")
    assert "There is no channel moon" in await refused("./run policies activate near --channel moon")
    assert "There is no channel moon" in await refused("./run policies shadow near --channel moon")
    assert await terminal.type("./run policies list --format json") == before


def test_the_page_shows_what_the_file_holds() -> None:
    """The policy on the page is the one that the commands publish."""
    [block] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)

    assert (ROOT / "examples" / "routing-policy" / "one-parcel.yaml").read_text().partition("\n")[2] == block


pytestmark = pytest.mark.timeout(240)
