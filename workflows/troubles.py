"""What goes wrong in an order outside any flow: kept until it can be raised as a process exception."""

from collections.abc import Awaitable, Callable

from orderloom.contracts.actions import raise_exception
from orderloom.contracts.messages import ActionDone, Context, RunAction
from orderloom.domain.errors import Problem
from orderloom.domain.exceptions import category_of
from orderloom.domain.model import JsonObject

type Surely = Callable[[str, Callable[[Context], RunAction], type[ActionDone]], Awaitable[ActionDone]]
"""Runs a transaction until it succeeds."""


class Troubles:
    """Problems, each with the id of the event that it belongs to."""

    def __init__(self) -> None:
        self._found: list[tuple[Problem, str]] = []

    def __bool__(self) -> bool:
        """Return whether there are any that were not raised."""
        return bool(self._found)

    def add(self, problem: Problem, event: str) -> None:
        """Keep a problem."""
        self._found.append((problem, event))

    async def raise_all(self, surely: Surely) -> None:
        """Make a process exception of each."""
        found, self._found = self._found, []
        for problem, event in found:
            arguments: JsonObject = {
                "category": category_of(problem.code),
                "code": problem.code,
                "detail": problem.detail,
                "attached_to": event,
            }
            key = f"{event}!{problem.code}"

            def ask(context: Context, arguments: JsonObject = arguments, key: str = key) -> RunAction:
                return RunAction(context=context, key=key, input=arguments, cause="order")

            await surely(raise_exception.activity, ask, ActionDone)
