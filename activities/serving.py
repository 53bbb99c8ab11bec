"""
Temporal's activities of queue ``orders``, made of what is registered.

Every call of an action is one transaction on one order, at most once per key.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities import phases, registry, transaction
from activities.ahead import running_ahead
from activities.asking import Asking
from activities.group_commit import GroupCommit
from activities.registry import Entry, Service
from activities.together import run_together
from activities.transaction import Implementation, Preparation
from activities.unit import Services
from orderloom.contracts.actions import ActionContract
from orderloom.contracts.messages import ActionDone, RunAction, SettleAction
from orderloom.domain.errors import OrderloomError
from orderloom.domain.model import JsonObject, Message
from orderloom.gateways.port import PaymentGateway
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


def activities(
    engine: AsyncEngine, vault: Vault, gateways: Mapping[str, PaymentGateway] | None = None, *, asking_at_once: int = 1
) -> list[Callable[..., Any]]:
    """
    Return every activity of queue ``orders`` as a Temporal worker takes it.

    Args:
        gateways: those that may be asked between an order's transactions, by the name that payments carry.
        asking_at_once: how many orders may do so at one time.
    """
    services = Services(engine=engine, vault=vault, go_on=running_ahead(registry.entries))
    if gateways:
        services = replace(services, ask=Asking(services, registry.entries, gateways, asking_at_once))
    for area in AREAS:
        import_module(f"activities.{area}")
    listed: list[Callable[..., Any]] = [
        _serve(services, name, *service) for name, service in sorted(registry.services.items())
    ]
    for name, entry in sorted(registry.entries.items()):
        if entry.run is not None:
            listed.append(_run(name, runner(services, entry)))
        if entry.prepare is not None and entry.settle is not None:
            listed.append(_prepare(services, f"{name}.prepare", entry.contract, entry.prepare))
            listed.append(_settle(services, f"{name}.settle", entry.contract, entry.settle))
    return listed


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
        return await told(phases.prepare(services, contract, function, request))

    return activity.defn(name=name)(prepare)


def _settle(
    services: Services, name: str, contract: ActionContract[Any, Any], function: Implementation[Any, Any]
) -> Callable[..., Any]:
    async def settle(request: SettleAction) -> ActionDone:
        return await told(phases.settle(services, contract, function, request))

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
