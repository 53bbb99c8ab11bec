"""
The catalog of activities on queue ``orders``: which function keeps which contract.

An action is one function behind a decorator. Every call of it is one transaction on one order, at most once per key.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities import transaction
from activities.group_commit import GroupCommit
from activities.together import Together, run_together
from activities.transaction import Implementation, Preparation
from activities.unit import Services
from orderloom.contracts.actions import ActionContract
from orderloom.contracts.messages import ActionDone, RunAction, SettleAction
from orderloom.domain.errors import OrderloomError
from orderloom.domain.model import Frozen, JsonObject, Message
from orderloom.persistence.vault import Vault

AREAS = (
    "answers",
    "allocating",
    "changes",
    "compensating",
    "emit",
    "exceptions",
    "faults",
    "fulfillment",
    "invoicing",
    "moving",
    "park",
    "payments",
    "record",
    "refunds",
    "reservations",
    "routing",
    "scheduling",
)
"""The modules of ``activities`` that register something; loaded when the activities are asked for."""

type Service[M: Message, R: Message] = Callable[[Services, M], Awaitable[R]]


@dataclass
class Entry:
    """What keeps one contract: ``run``, with ``together`` if orders can share it, or ``prepare`` and ``settle``."""

    contract: ActionContract[Any, Any]
    run: Implementation[Any, Any] | None = None
    together: Together[Any, Any] | None = None
    prepare: Preparation[Any, Any] | None = None
    settle: Implementation[Any, Any] | None = None


_entries: dict[str, Entry] = {}
_services: dict[str, tuple[type[Message], type[Message], Service[Any, Any]]] = {}


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
        _services[name] = (argument, answer, function)
        return function

    return register


def activities(engine: AsyncEngine, vault: Vault) -> list[Callable[..., Any]]:
    """Return every activity of queue ``orders`` as a Temporal worker takes it."""
    services = Services(engine=engine, vault=vault)
    for area in AREAS:
        import_module(f"activities.{area}")
    listed: list[Callable[..., Any]] = [_serve(services, name, *service) for name, service in sorted(_services.items())]
    for name, entry in sorted(_entries.items()):
        if entry.run is not None:
            listed.append(_run(name, runner(services, entry)))
        if entry.prepare is not None and entry.settle is not None:
            listed.append(_prepare(services, f"{name}.prepare", entry.contract, entry.prepare))
            listed.append(_settle(services, f"{name}.settle", entry.contract, entry.settle))
    return listed


def _entry(contract: ActionContract[Any, Any]) -> Entry:
    return _entries.setdefault(contract.activity, Entry(contract))


def runner(services: Services, entry: Entry) -> Callable[[RunAction], Awaitable[ActionDone]]:
    """Return what runs a local action: each call in a transaction of its own, or several in one where that is known."""
    contract, function, together = entry.contract, entry.run, entry.together
    assert function is not None, f"{contract.activity} is not local"

    async def alone(request: RunAction) -> ActionDone:
        return await transaction.run(services, contract, function, request)

    if together is None:
        return alone

    async def in_one(requests: Sequence[RunAction]) -> Sequence[ActionDone | None]:
        return await run_together(services, contract, together, requests)

    group = GroupCommit[RunAction, ActionDone](alone, in_one)

    async def grouped(request: RunAction) -> ActionDone:
        return await group.run(request.context.order_id, request)

    return grouped


def _run(name: str, work: Callable[[RunAction], Awaitable[ActionDone]]) -> Callable[..., Any]:
    async def run(request: RunAction) -> ActionDone:
        return await told(work(request))

    return activity.defn(name=name)(run)


def _prepare(
    services: Services, name: str, contract: ActionContract[Any, Any], function: Preparation[Any, Any]
) -> Callable[..., Any]:
    async def prepare(request: RunAction) -> ActionDone:
        return await told(transaction.prepare(services, contract, function, request))

    return activity.defn(name=name)(prepare)


def _settle(
    services: Services, name: str, contract: ActionContract[Any, Any], function: Implementation[Any, Any]
) -> Callable[..., Any]:
    async def settle(request: SettleAction) -> ActionDone:
        return await told(transaction.settle(services, contract, function, request))

    return activity.defn(name=name)(settle)


def _serve(
    services: Services, name: str, argument: type[Message], answer: type[Message], function: Service[Any, Any]
) -> Callable[..., Any]:
    async def serve(request: Any) -> Any:
        return await told(function(services, request))

    # Temporal reads the types of messages from the annotations.
    serve.__annotations__ = {"request": argument, "return": answer}
    return activity.defn(name=name)(serve)


async def told[R](work: Awaitable[R]) -> R:
    """
    Return what *work* returns; an error of ours becomes one that Temporal does not try again.

    Its details are the problem, and what was applied all the same when the error came after money had moved.
    """
    try:
        return await work
    except transaction.ActionFailed as failed:
        raise _refusal(failed.error, failed.applied.model_dump(mode="json")) from failed.error
    except OrderloomError as error:
        raise _refusal(error) from error


def _refusal(error: OrderloomError, *more: JsonObject) -> ApplicationError:
    return ApplicationError(
        f"{error.code}: {error.detail}",
        error.problem().model_dump(mode="json"),
        *more,
        type=error.code,
        non_retryable=True,
        category=ApplicationErrorCategory.BENIGN,
    )
