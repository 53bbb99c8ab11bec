"""`orderloom inventory load`: what it prints, how it ends, and that nothing is lost or merged twice."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.inventory.feed_reading import CHUNK
from tests.command import orderloom
from tests.conftest import MASTER_KEY
from tests.integration.test_feeds import stocked

__all__ = ["stocked"]


@pytest.fixture
def environment(database_url: str) -> dict[str, str]:
    """Return what the command is told about the servers."""
    return {
        "ORDERLOOM_DATABASE_URL": database_url,
        "ORDERLOOM_KEYS_URL": database_url,
        "ORDERLOOM_MASTER_KEY": MASTER_KEY.hex(),
    }


async def _on_hand(engine: AsyncEngine) -> dict[str, int]:
    async with engine.connect() as conn:
        rows = await conn.execute(text("SELECT location_id || ' ' || sku AS shelf, on_hand FROM stock"))
        return {row.shelf: row.on_hand for row in rows}


async def test_a_file_is_merged_once_and_its_bad_lines_are_told(
    stocked: AsyncEngine, environment: dict[str, str], tmp_path: Path
) -> None:
    """Good lines change stock, bad ones are told with line, code, column and remedy; the file again changes nothing."""
    file = tmp_path / "stock.csv"
    file.write_text("location,sku,quantity\nA,S,-2\nA,T,3\nB,X,1\nB,S,many\n")

    status, printed = await orderloom("inventory", "load", str(file), "--delta", **environment)

    assert status == 1
    assert printed.splitlines() == [
        "line 4: sku.unknown: sku: there is no such product: load it first, or correct its SKU",
        "line 5: quantity.invalid: quantity: it is no whole number: write one, up to 2147483647",
    ]
    assert await _on_hand(stocked) == {"A S": 8, "A T": 3, "B S": 5}
    assert await orderloom("inventory", "load", str(file), "--delta", **environment) == (0, "")
    assert await _on_hand(stocked) == {"A S": 8, "A T": 3, "B S": 5}


async def test_a_command_that_was_stopped_goes_on_where_it_was(
    stocked: AsyncEngine, environment: dict[str, str]
) -> None:
    """Ctrl-C between chunks loses none and repeats none of the changes."""
    words = [sys.executable, "-c", "from orderloom.cli import main; main()", "inventory", "load", "-"]
    words += ["--delta", "--id", "night"]
    lines = b"location,sku,quantity\n" + b"A,S,1\n" * (2 * CHUNK)

    # Nothing else runs in this loop meanwhile.
    with subprocess.Popen(words, env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:  # noqa: ASYNC220
        assert process.stdin is not None
        process.stdin.write(lines)
        process.stdin.flush()
        while (await _on_hand(stocked))["A S"] == 10:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)

    assert process.returncode == 1
    assert b"run the same command again" in told
    assert (await _on_hand(stocked))["A S"] < 10 + 2 * CHUNK
    again = subprocess.run(words, env=environment, input=lines, stderr=subprocess.PIPE, check=True)  # noqa: ASYNC221  # as above
    assert b"20,001 lines" in again.stderr
    assert (await _on_hand(stocked))["A S"] == 10 + 2 * CHUNK


@pytest.mark.parametrize("rest", [b"", b"A,S,1\n"])
async def test_a_command_that_waits_for_input_is_stopped_at_once(
    stocked: AsyncEngine, environment: dict[str, str], rest: bytes
) -> None:
    """Ctrl-C while standard input is open and idle: it ends and tells what was taken in, which is what was merged."""
    words = [sys.executable, "-c", "from orderloom.cli import main; main()", "inventory", "load", "-"]
    lines = b"location,sku,quantity\n" + b"A,S,1\n" * (CHUNK - 1) + rest

    with subprocess.Popen(  # noqa: ASYNC220  # as above
        [*words, "--delta", "--id", "idle"], env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(lines)
        process.stdin.flush()
        while (await _on_hand(stocked))["A S"] == 10:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        told = process.stderr.read().decode()

    assert process.returncode == 1
    assert told.endswith(f"stopped; {CHUNK:,} lines of it are merged; run the same command again to go on\n")
    assert (await _on_hand(stocked))["A S"] == 10 + CHUNK - 1


async def test_a_full_feed_that_leaves_much_out_is_previewed_refused_and_allowed(
    stocked: AsyncEngine, environment: dict[str, str], tmp_path: Path
) -> None:
    """The preview names what would be set to zero and changes nothing, nor does the feed until it is allowed."""
    file = tmp_path / "stock.csv"
    file.write_text("location,sku,quantity,safety_stock\nA,T,3,1\nB,S,5,\nB,X,1,\n")

    status, told = await orderloom("inventory", "load", "--preview", str(file), **environment)
    refused, _ = await orderloom("inventory", "load", str(file), **environment)

    assert (status, refused) == (1, 1)
    assert told.splitlines() == [
        "line 4: sku.unknown: sku: there is no such product: load it first, or correct its SKU",
        "A: 1 new, 0 changed, 1 set to zero, 0 unchanged",
        "  new      T: 0 -> 3, kept back 0 -> 1",
        "  zeroed   S: 10 -> 0",
        "  refused: more than 20% of its stocked shelves would be set to zero",
        "B: 0 new, 0 changed, 0 set to zero, 1 unchanged",
    ]
    assert await _on_hand(stocked) == {"A S": 10, "B S": 5}

    await orderloom("inventory", "load", str(file), "--zero-at-most", "1", **environment)
    assert await _on_hand(stocked) == {"A S": 0, "A T": 3, "B S": 5}


async def test_a_share_that_is_none_is_refused(
    stocked: AsyncEngine, environment: dict[str, str], tmp_path: Path
) -> None:
    """Twenty, for per cent: nothing is merged."""
    file = tmp_path / "stock.csv"
    file.write_text("location,sku,quantity\nA,S,3\n")

    assert await orderloom("inventory", "load", str(file), "--zero-at-most", "20", **environment) == (1, "")
    assert await _on_hand(stocked) == {"A S": 10, "B S": 5}


async def test_a_file_that_cannot_be_read_changes_nothing(
    stocked: AsyncEngine, environment: dict[str, str], tmp_path: Path
) -> None:
    """No such file, and a first line without the columns: exit status 2 or 1, and stock as it was."""
    nothing = await orderloom("inventory", "load", str(tmp_path / "none.csv"), **environment)
    (tmp_path / "bad.csv").write_text("place,what\nA,1\n")
    unreadable = await orderloom("inventory", "load", str(tmp_path / "bad.csv"), **environment)

    assert nothing[0] != 0
    assert unreadable[0] != 0
    assert await _on_hand(stocked) == {"A S": 10, "B S": 5}
