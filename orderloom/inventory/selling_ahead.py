"""Changes of what may be sold ahead: up to 100 policies in one transaction, all of them or none, each on record."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orderloom.domain.errors import FieldProblem, InvalidInput, NotFound
from orderloom.domain.exception_status import Name, Reason
from orderloom.domain.model import Frozen, JsonObject
from orderloom.domain.reserving import MAX_RECORDS
from orderloom.domain.sell_ahead import GivenSellAhead, SellAheadKey, SellAheadPolicy
from orderloom.persistence.requests import Answered, Asked, once
from orderloom.persistence.sell_ahead_policies import (
    Said,
    SellAheadChange,
    policies_of,
    remove_policies,
    set_policies,
    unknown_names,
)

OPERATORS = "operators"
"""Who has changed a policy when nobody is named."""


class SellAheadUnknown(NotFound):
    """No policy of selling ahead is of this channel and SKU.

    List the policies: a default of the SKU or of the channel may be what is in force. Nothing was removed.
    """

    code = "sell_ahead.unknown"


class _Change[K: SellAheadKey](Frozen):
    policies: Annotated[list[K], Field(min_length=1, max_length=MAX_RECORDS)]
    by: Name | None = None
    """Who changes them, for the history."""
    reason: Reason = ""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        keys = [policy.key for policy in self.policies]
        if twice := sorted({str(key) for key in keys if keys.count(key) > 1}):
            raise PydanticCustomError("sell_ahead.twice", "{twice} is named twice", {"twice": twice[0]})
        return self

    def said(self, now: datetime) -> Said:
        """Return who says it, why and when."""
        return Said(by=self.by or OPERATORS, reason=self.reason, at=now)


class SetSellAhead(_Change[GivenSellAhead]):
    """Put these policies in force. Each replaces the one of the same channel and SKU as a whole."""


class RemoveSellAhead(_Change[SellAheadKey]):
    """Take these policies out of force."""


class SellAheadChanged(Frozen):
    """What was changed; a policy that was in force already is left out."""

    changes: tuple[SellAheadChange, ...]


async def set_sell_ahead(engine: AsyncEngine, key: str, wanted: SetSellAhead, now: datetime) -> Answered:
    """
    Put policies in force for the orders that are placed from now on.

    Raises:
        InvalidInput: a channel or a SKU is not set up.
        IdempotencyKeyReused: the key came with another request.
    """

    async def work(conn: AsyncConnection) -> JsonObject:
        await _refuse_unknown(conn, wanted.policies)
        return _answer(await set_policies(conn, wanted.policies, wanted.said(now)))

    asked = Asked(key=key, kind="sell_ahead.set", body=wanted.model_dump(mode="json"), now=now)
    return await once(engine, asked, work)


async def remove_sell_ahead(engine: AsyncEngine, key: str, wanted: RemoveSellAhead, now: datetime) -> Answered:
    """
    Take policies out of force for the orders that are placed from now on: the next wider one counts, if there is one.

    Raises:
        SellAheadUnknown: one of them is not there.
        IdempotencyKeyReused: the key came with another request.
    """

    async def work(conn: AsyncConnection) -> JsonObject:
        there = await policies_of(conn, wanted.policies)
        missing = tuple(
            FieldProblem(pointer=f"/policies/{n}", detail=f"there is no policy of {key}", code=SellAheadUnknown.code)
            for n, key in enumerate(wanted.policies)
            if key not in there
        )
        if missing:
            raise SellAheadUnknown(missing[0].detail, errors=missing)
        return _answer(await remove_policies(conn, wanted.policies, wanted.said(now)))

    asked = Asked(key=key, kind="sell_ahead.remove", body=wanted.model_dump(mode="json"), now=now)
    return await once(engine, asked, work)


async def _refuse_unknown(conn: AsyncConnection, policies: Sequence[SellAheadPolicy]) -> None:
    unknown = await unknown_names(conn, policies)
    problems = [
        FieldProblem(pointer=f"/policies/{n}/{field}", detail=f"there is no {called} {name!r}", code=f"{field}.unknown")
        for n, policy in enumerate(policies)
        for field, called, name, missing in (
            ("channel", "channel", policy.channel, unknown[0]),
            ("sku", "product", policy.sku, unknown[1]),
        )
        if name in missing
    ]
    if problems:
        raise InvalidInput(f"{problems[0].pointer}: {problems[0].detail}", errors=tuple(problems))


def _answer(changes: Sequence[SellAheadChange]) -> JsonObject:
    return SellAheadChanged(changes=tuple(changes)).model_dump(mode="json")
