"""Who shares a transaction with whom, without a database."""

import asyncio
from collections.abc import Sequence

import pytest

from activities import group_commit
from activities.group_commit import GroupCommit


class Desk:
    """Runs calls when it is told to, and keeps what ran together."""

    def __init__(self) -> None:
        self.ran: list[list[str]] = []
        self.gates: list[asyncio.Event] = []
        self.refused: set[str] = set()
        """Answered by None when they are not alone."""
        self.broken: dict[str, Exception] = {}
        """What a transaction raises that has them in it."""
        self.group = GroupCommit[str, str](self.alone, self.together)

    async def alone(self, message: str) -> str:
        (answer,) = await self._run([message])
        return f"{answer} alone"

    async def together(self, messages: Sequence[str]) -> list[str | None]:
        answers = await self._run(messages)
        return [None if answer in self.refused else answer for answer in answers]

    async def _run(self, messages: Sequence[str]) -> list[str]:
        self.ran.append(list(messages))
        gate = asyncio.Event()
        self.gates.append(gate)
        await gate.wait()
        for message in messages:
            if message in self.broken:
                raise self.broken[message]
        return list(messages)

    def call(self, order: str, message: str | None = None) -> asyncio.Task[str]:
        return asyncio.create_task(self.group.run(order, message or order))

    async def finish(self, number: int) -> None:
        """Let the transaction *number* end, and what follows from it begin."""
        await settled()
        self.gates[number].set()
        await settled()


async def settled() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_comes_meanwhile_shares_the_next() -> None:
    """The first runs alone and at once; all that come until it ends are one transaction, in the order they came."""
    desk = Desk()
    calls = [desk.call(order) for order in "abcd"]

    await settled()
    assert desk.ran == [["a"]]
    await desk.finish(0)
    assert desk.ran == [["a"], ["b", "c", "d"]]
    late = desk.call("e")
    await settled()
    assert len(desk.ran) == 2
    await desk.finish(1)
    await desk.finish(2)

    assert desk.ran == [["a"], ["b", "c", "d"], ["e"]]
    assert await asyncio.gather(*calls, late) == ["a alone", "b", "c", "d", "e alone"]


async def test_nobody_comes_between_two_transactions() -> None:
    """Who comes between the end of one and the beginning of the next does not run beside it."""
    desk = Desk()
    first, second = desk.call("a"), desk.call("b")
    await settled()
    first.add_done_callback(lambda _: calls.append(desk.call("c")))
    calls: list[asyncio.Task[str]] = []

    await desk.finish(0)

    assert desk.ran == [["a"], ["b"]]
    await desk.finish(1)
    await desk.finish(2)
    assert await asyncio.gather(first, second, *calls) == ["a alone", "b alone", "c alone"]


async def test_an_order_is_in_a_transaction_once() -> None:
    """Two calls for one order, as after a lost workflow task, take turns; others share with the first."""
    desk = Desk()
    calls = [desk.call("a"), desk.call("b", "b1"), desk.call("b", "b2"), desk.call("c")]

    for number in range(3):
        await desk.finish(number)

    assert desk.ran == [["a"], ["b1", "c"], ["b2"]]
    assert await asyncio.gather(*calls) == ["a alone", "b1", "b2 alone", "c"]


async def test_who_is_left_out_runs_alone() -> None:
    """A call that the group could not answer is run alone, and holds up neither the others nor the next group."""
    desk = Desk()
    desk.refused = {"b"}
    calls = [desk.call(order) for order in "abc"]
    await desk.finish(0)
    later = [desk.call(order) for order in "de"]

    await desk.finish(1)

    assert desk.ran == [["a"], ["b", "c"], ["d", "e"], ["b"]]
    assert await calls[2] == "c"
    assert not calls[1].done()
    await desk.finish(2)
    assert await asyncio.gather(*later) == ["d", "e"]
    await desk.finish(3)
    assert await calls[1] == "b alone"


async def test_an_outage_is_told_to_all() -> None:
    """When the group's transaction raises, each of its calls raises that; the next ones run."""
    desk = Desk()
    desk.broken = {"c": OSError("gone")}
    calls = [desk.call(order) for order in "abc"]
    await desk.finish(0)
    late = desk.call("d")
    await desk.finish(1)

    assert await asyncio.gather(*calls[1:], return_exceptions=True) == [desk.broken["c"]] * 2
    await desk.finish(2)
    assert await late == "d alone"


async def test_an_error_alone_is_the_callers() -> None:
    """What a call raises that runs alone, at once or after waiting, reaches its caller and leaves the way free."""
    desk = Desk()
    desk.broken = {"a": ValueError("a"), "b": ValueError("b")}
    calls = [desk.call("a"), desk.call("b")]
    await desk.finish(0)
    await desk.finish(1)

    assert await asyncio.gather(*calls, return_exceptions=True) == [desk.broken["a"], desk.broken["b"]]
    last = desk.call("c")
    await desk.finish(2)
    assert await last == "c alone"


async def test_who_gives_up_leaves_the_others() -> None:
    """A cancelled call that waits is not run; one that is in a transaction does not end it for the others."""
    desk = Desk()
    first, waiting, other, third = (desk.call(order) for order in "abcd")
    await settled()
    waiting.cancel()
    await desk.finish(0)
    assert desk.ran == [["a"], ["c", "d"]]

    other.cancel()
    await desk.finish(1)

    assert await asyncio.gather(first, third) == ["a alone", "d"]
    assert (waiting.cancelled(), other.cancelled()) == (True, True)


async def test_who_is_stuck_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while the next begin, though the transaction before them has not ended; its end lets no more begin."""
    monkeypatch.setattr(group_commit, "STUCK", 0)
    desk = Desk()
    stuck = desk.call("a")
    await settled()
    monkeypatch.setattr(group_commit, "STUCK", 60)
    second, third = desk.call("b"), desk.call("c")
    await settled()
    assert desk.ran == [["a"], ["b"]]

    await desk.finish(0)

    assert await stuck == "a alone"
    assert desk.ran == [["a"], ["b"]]
    await desk.finish(1)
    await desk.finish(2)
    assert await asyncio.gather(second, third) == ["b alone", "c alone"]


async def test_a_transaction_has_its_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those beyond wait for the one after."""
    monkeypatch.setattr(group_commit, "LARGEST", 2)
    desk = Desk()
    calls = [desk.call(order) for order in "abcd"]

    for number in range(3):
        await desk.finish(number)

    assert desk.ran == [["a"], ["b", "c"], ["d"]]
    assert await asyncio.gather(*calls) == ["a alone", "b", "c", "d alone"]
