"""Runs the branches of a fork beside each other: until all are done, or until one has won."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from flows_dsl.frames import Branch
from orderloom.domain.model import Json


class Stopped(Exception):
    """A strand is not to go on."""


class Runs(Protocol):
    """A strand that does the tasks of one branch."""

    def must_end(self) -> bool:
        """Return whether something is under way that must come to its end, such as a call."""
        ...

    def stop(self) -> None:
        """Let it do no more than what must come to its end, and then raise ``Stopped``."""
        ...

    async def run(self) -> Json:
        """Do the tasks; return the output."""
        ...


class Branches:
    """
    The branches of one fork at work.

    Which one wins, and what a failing one does to the others, is decided in the very moment in which it happens: there
    is nothing in between that could happen in another order in a replay.
    """

    def __init__(self, branches: Sequence[Branch], strands: Sequence[Runs], *, compete: bool) -> None:
        """Take the branches, and for each the strand that runs it."""
        self._all = list(zip(branches, strands, strict=True))
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._compete = compete
        self._stopping = False
        self._error: Exception | None = None

    async def run(self) -> None:
        """
        Return when no branch is under way any more.

        Raises:
            Exception: what a branch has raised first; the others have stopped.
        """
        for at, (branch, _) in enumerate(self._all):
            if branch.phase in {"runs", "lost"} and branch.frames:
                self._tasks[at] = asyncio.create_task(self._one(at))
        ended = await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        for error in ended:
            if error is not None and not isinstance(error, asyncio.CancelledError):
                raise error
        for branch, _ in self._all:
            if branch.phase == "lost":
                branch.frames = []
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Stop all of them."""
        self._stopping = True
        self._stop_others(-1)

    async def _one(self, at: int) -> None:
        branch, strand = self._all[at]
        if branch.phase == "lost" or self._stopping:
            strand.stop()
        try:
            branch.output = await strand.run()
        except Stopped:
            return
        except Exception as error:  # noqa: BLE001  # raised again when the others have stopped
            if self._error is None:
                self._error = error
                self._stop_others(at)
        else:
            self._done(at)

    def _done(self, at: int) -> None:
        branch = self._all[at][0]
        if not self._compete:
            branch.phase = "done"
        elif any(other.phase == "won" for other, _ in self._all):
            branch.phase = "lost"
        else:
            branch.phase = "won"
            self._stop_others(at)

    def _stop_others(self, at: int) -> None:
        for other, (branch, strand) in enumerate(self._all):
            if other == at or other not in self._tasks or branch.phase not in {"runs", "lost"}:
                continue
            if self._compete and any(it.phase == "won" for it, _ in self._all):
                branch.phase = "lost"
            strand.stop()
            if not strand.must_end():
                self._tasks[other].cancel()
