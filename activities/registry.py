"""
The catalog of activities on queue ``orders``: which function keeps which contract.

An action is one function behind a decorator; ``activities.serving`` makes Temporal's activities of them.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from activities.together import Together
from activities.transaction import Implementation, Preparation
from activities.unit import Services
from orderloom.contracts.actions import ActionContract
from orderloom.domain.model import Frozen, Message

type Service[M: Message, R: Message] = Callable[[Services, M], Awaitable[R]]


@dataclass
class Entry:
    """What keeps one contract: ``run``, with ``together`` if orders can share it, or ``prepare`` and ``settle``."""

    contract: ActionContract[Any, Any]
    run: Implementation[Any, Any] | None = None
    together: Together[Any, Any] | None = None
    prepare: Preparation[Any, Any] | None = None
    settle: Implementation[Any, Any] | None = None


entries: dict[str, Entry] = {}
services: dict[str, tuple[type[Message], type[Message], Service[Any, Any]]] = {}


def implements[I: Frozen, O: Frozen](
    contract: ActionContract[I, O],
) -> Callable[[Implementation[I, O]], Implementation[I, O]]:
    """Register the function that carries out a local action."""

    def register(function: Implementation[I, O]) -> Implementation[I, O]:
        _entry(contract).run = function
        return function

    return register


def implements_together[I: Frozen, O: Frozen](
    contract: ActionContract[I, O],
) -> Callable[[Together[I, O]], Together[I, O]]:
    """Register the function that carries out a local action for several orders in one transaction."""

    def register(function: Together[I, O]) -> Together[I, O]:
        _entry(contract).together = function
        return function

    return register


def prepares[I: Frozen, O: Frozen](contract: ActionContract[I, O]) -> Callable[[Preparation[I, O]], Preparation[I, O]]:
    """Register the function that writes the intents of an outside action, or answers at once if nothing is to ask."""

    def register(function: Preparation[I, O]) -> Preparation[I, O]:
        _entry(contract).prepare = function
        return function

    return register


def settles[I: Frozen, O: Frozen](
    contract: ActionContract[I, O],
) -> Callable[[Implementation[I, O]], Implementation[I, O]]:
    """Register the function that finishes an outside action; its intents are settled before it is called."""

    def register(function: Implementation[I, O]) -> Implementation[I, O]:
        _entry(contract).settle = function
        return function

    return register


def serves[M: Message, R: Message](
    name: str, argument: type[M], answer: type[R]
) -> Callable[[Service[M, R]], Service[M, R]]:
    """Register an activity that is no action of flows: it takes the services and one message."""

    def register(function: Service[M, R]) -> Service[M, R]:
        services[name] = (argument, answer, function)
        return function

    return register


def _entry(contract: ActionContract[Any, Any]) -> Entry:
    return entries.setdefault(contract.activity, Entry(contract))
