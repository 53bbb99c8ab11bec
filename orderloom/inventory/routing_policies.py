"""Publishing routing policies and putting them in force, asked for by key: done once, however often it is asked."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orderloom.domain.errors import FieldProblem, InvalidInput, NotFound
from orderloom.domain.exception_status import Name, Reason
from orderloom.domain.model import Frozen, Identifier, JsonObject
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.persistence.policies import PolicyUnknown, activate_policy, policy_named, publish_policy
from orderloom.persistence.requests import Answered, Asked, once

OPERATORS = "operators"
"""Who has put a policy in force when nobody is named."""


class PolicyKept(Frozen):
    """A policy is published: it is kept as it is for ever, and routes nothing until it is put in force."""

    name: str
    version: str
    hash: str
    new: bool
    """It was not published before."""


class ActivatePolicy(Frozen):
    """Put a published policy in force for the next orders of a channel."""

    channel: Identifier
    by: Name | None = None
    """Who does it, for the history."""
    reason: Reason = ""


class PolicyActivated(Frozen):
    """What is in force for the next orders of a channel; orders that were placed before keep theirs."""

    channel: str
    policy: str
    """``name:version``."""
    changed: bool
    """Another one was in force before."""


async def publish(engine: AsyncEngine, key: str, policy: RoutingPolicy, text: str, now: datetime) -> Answered:
    """
    Keep *policy* as *text* says it.

    Raises:
        PolicyPublished: the version is taken by other content.
        IdempotencyKeyReused: the key came with another request.
    """

    async def work(conn: AsyncConnection) -> JsonObject:
        new = await publish_policy(conn, policy, text, now)
        kept = PolicyKept(name=policy.name, version=policy.version, hash=policy.hash, new=new)
        return kept.model_dump(mode="json")

    return await once(engine, Asked(key=key, kind="policy.publish", body={"text": text}, now=now), work)


async def activate(engine: AsyncEngine, key: str, name: str, wanted: ActivatePolicy, now: datetime) -> Answered:
    """
    Put the policy ``name:version``, or the highest version of ``name``, in force.

    Raises:
        PolicyUnknown: it is not published.
        InvalidInput: there is no such channel.
        IdempotencyKeyReused: the key came with another request.
    """

    async def work(conn: AsyncConnection) -> JsonObject:
        by = wanted.by or OPERATORS
        try:
            changed = await activate_policy(conn, wanted.channel, name, by, wanted.reason, now)
        except PolicyUnknown:
            raise
        except NotFound as error:
            raise _no_channel(error) from None
        policy = changed or await policy_named(conn, name)
        done = PolicyActivated(channel=wanted.channel, policy=policy.label, changed=changed is not None)
        return done.model_dump(mode="json")

    body: JsonObject = {"policy": name, **wanted.model_dump(mode="json")}
    return await once(engine, Asked(key=key, kind="policy.activate", body=body, now=now), work)


def _no_channel(error: NotFound) -> InvalidInput:
    problem = FieldProblem(pointer="/channel", detail=error.detail, code="channel.unknown")
    return InvalidInput(error.detail.rstrip("."), errors=(problem,))
