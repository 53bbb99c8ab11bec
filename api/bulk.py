"""
Many process exceptions decided about or changed: seen in a preview, then done one by one at a rate, with a result each.

Nothing is stored between the two. The token holds what was seen, and each exception's command has a key that is made of
the token: sent again, what was done is answered as before, and the rest is done.
"""

import asyncio
import base64
import binascii
import zlib
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from itertools import batched
from time import monotonic
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator
from sqlalchemy import select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from api.deciding import OPERATORS, Wanted, command_of, foreseen, settle
from api.dependencies import ApiDependencies
from api.intaking import carry_out
from api.schemas import ResolveException
from orderloom.domain.errors import OrderloomError, Problem
from orderloom.domain.exception_status import TRANSITIONS, ChangeException, ExceptionStatus
from orderloom.domain.exceptions import ExceptionClosed
from orderloom.domain.model import Frozen
from orderloom.persistence.digest import digest
from orderloom.persistence.tables.intake import intake
from orderloom.persistence.tables.operations import exception_changes
from orderloom.readmodels.exception_list import ExceptionFilter, count_others, exceptions_by_id, exceptions_page
from orderloom.readmodels.exceptions import ExceptionView
from orderloom.readmodels.snapshot import snapshot

MOST = 2_000
"""Exceptions that one preview covers."""
AT_ONCE = 8
"""Orders that are asked at once, where the rate allows it."""
MOST_RATE = 200.0


class TokenUnreadable(OrderloomError):
    """The token is none that a preview has given.

    Ask for a preview, and send its token as it is.
    """

    code = "exception.token_unreadable"
    status = 422


class _Asked(Frozen):
    where: ExceptionFilter
    decision: Annotated[ResolveException | None, Field(description="What is decided about each; or a change.")] = None
    change: Annotated[ChangeException | None, Field(description="What is changed of each; or a decision.")] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.decision is None) == (self.change is None):
            raise ValueError("give either a decision or a change")
        return self

    @property
    def wanted(self) -> Wanted:
        """What is decided or changed."""
        wanted = self.decision or self.change
        assert wanted is not None
        return wanted


class BulkAsk(_Asked):
    """A decision or a change, and which process exceptions it is about."""

    most: Annotated[int, Field(ge=1, le=MOST, description="How many at most, the oldest first.")] = MOST


class BulkItem(Frozen):
    """One process exception, and what would be done."""

    exception: str
    order: str | None
    code: str
    flow: str | None
    task: str | None
    does: str
    refused: Problem | None = None
    """Why that would be refused; it is left out then."""


class BulkPreview(Frozen):
    """What would be done to many exceptions. Nothing was changed or stored."""

    items: list[BulkItem]
    would: int
    """How many would be decided about, or changed."""
    refused: int
    more: bool
    """There are more than were asked for."""
    token: str
    """What was seen; sending it decides about these and no others."""


class BulkSubmit(Frozen):
    """Do what a preview has shown."""

    token: Annotated[str, Field(description="The preview's.")]
    rate: Annotated[float, Field(gt=0, le=MOST_RATE, description="How many a second at most.")] = 10.0


class Seen(Frozen):
    """One exception as the preview saw it."""

    id: str
    status: ExceptionStatus
    version: int


class Token(_Asked):
    """What a preview has seen."""

    seen: list[Seen]
    at: str
    """When; two previews that saw the same are two."""

    def key(self, exception: str) -> str:
        """Return the idempotency key of the command for *exception*."""
        return f"bulk-{digest(self.model_dump(mode='json', exclude_unset=True)).hex()[:24]}-{exception}"


Outcome = Literal["succeeded", "pending", "refused", "changed", "gone"]


class BulkResult(Frozen):
    """
    What became of one exception.

    ``pending``: taken in, no worker has answered yet. ``changed``: not as the preview saw it, and left alone.
    ``gone``: settled by somebody else.
    """

    exception: str
    outcome: Outcome
    detail: str | None = None
    problem: Problem | None = None


class BulkSummary(Frozen):
    """The last line: how many came to what."""

    done: Literal[True] = True
    outcomes: dict[Outcome, int]
    others: int
    """Exceptions that are meant by the same words now and were not in the preview; they are left alone."""


async def preview_bulk(conn: AsyncConnection, ask: BulkAsk, now: datetime) -> BulkPreview:
    """Return what would be done to each exception that is meant."""
    views = await exceptions_page(conn, ask.where, after=None, limit=ask.most + 1, now=now)
    shown = views[: ask.most]
    items = [_item(view, ask.wanted, now) for view in shown]
    seen = [
        Seen(id=view.id, status=view.status, version=view.version)
        for view, item in zip(shown, items, strict=True)
        if item.refused is None
    ]
    token = Token(where=ask.where, decision=ask.decision, change=ask.change, seen=seen, at=now.isoformat())
    return BulkPreview(
        items=items,
        would=len(seen),
        refused=len(items) - len(seen),
        more=len(views) > ask.most,
        token=base64.urlsafe_b64encode(zlib.compress(token.model_dump_json(exclude_unset=True).encode())).decode(),
    )


def read_token(token: str) -> Token:
    """
    Return what a preview has seen.

    Raises:
        TokenUnreadable: *token* is none.
    """
    try:
        packed = zlib.decompressobj()
        text = packed.decompress(base64.urlsafe_b64decode(token), 16 * 1024 * 1024)
        return Token.model_validate_json(text)
    except (binascii.Error, zlib.error, ValidationError, ValueError):
        raise TokenUnreadable("the token is none that a preview has given") from None


async def submit_bulk(given: ApiDependencies, token: Token, wanted: BulkSubmit) -> AsyncGenerator[str]:
    """Do what is wanted to all that was seen, no faster than is wanted; give a line of JSON for each, and the sums."""
    counts: Counter[Outcome] = Counter()
    size = max(1, min(AT_ONCE, int(wanted.rate)))
    for group in batched(token.seen, size, strict=False):
        began = monotonic()
        for result in await _some(given, token, group):
            counts[result.outcome] += 1
            yield result.model_dump_json(exclude_none=True) + "\n"
        await asyncio.sleep(max(0.0, began + len(group) / wanted.rate - monotonic()))
    async with snapshot(given.engine) as conn:
        others = await count_others(conn, token.where, [one.id for one in token.seen], given.clock.now())
    yield BulkSummary(outcomes=dict(counts), others=others).model_dump_json() + "\n"


async def _some(given: ApiDependencies, token: Token, seen: Sequence[Seen]) -> list[BulkResult]:
    async with snapshot(given.engine) as conn:
        views = await exceptions_by_id(conn, [one.id for one in seen])
        sent = await _sent(conn, [token.key(one.id) for one in seen])
    return await asyncio.gather(
        *(_one(given, token, one, views.get(one.id), again=token.key(one.id) in sent) for one in seen)
    )


async def _sent(conn: AsyncConnection, keys: Sequence[str]) -> set[str]:
    """Return those of *keys* that were sent before."""
    commands = select(intake.c.idempotency_key).where(intake.c.source == OPERATORS, intake.c.idempotency_key.in_(keys))
    changes = select(exception_changes.c.key).where(exception_changes.c.key.in_(keys))
    return {str(key) for key in (await conn.execute(union(commands, changes))).scalars()}


async def _one(
    given: ApiDependencies, token: Token, seen: Seen, view: ExceptionView | None, *, again: bool
) -> BulkResult:
    if view is None:
        return BulkResult(exception=seen.id, outcome="gone", detail="there is no such exception any more")
    if not again and (left := _left_alone(seen, view)) is not None:
        return left
    key = token.key(seen.id)
    try:
        if view.order is None:
            await settle(given, seen.id, token.wanted, key)
            return BulkResult(exception=seen.id, outcome="succeeded")
        receipt = await carry_out(given, command_of(view.order, seen.id, token.wanted, key))
    except OrderloomError as error:
        return _refused(seen.id, error.problem())
    if receipt is None:
        return BulkResult(exception=seen.id, outcome="pending", detail="it is taken in and will be done")
    return (
        BulkResult(exception=seen.id, outcome="succeeded")
        if receipt.problem is None
        else _refused(seen.id, receipt.problem)
    )


def _left_alone(seen: Seen, view: ExceptionView) -> BulkResult | None:
    """Return the result for what is not as it was seen; None: it is."""
    if not TRANSITIONS[view.status]:
        return BulkResult(exception=seen.id, outcome="gone", detail=f"it is {view.status}")
    if view.status != seen.status:
        detail = f"it was {seen.status} and is {view.status}"
        return BulkResult(exception=seen.id, outcome="changed", detail=detail)
    if view.version != seen.version:
        detail = "its owner, deadline, severity or priority was changed since"
        return BulkResult(exception=seen.id, outcome="changed", detail=detail)
    return None


def _refused(exception: str, problem: Problem) -> BulkResult:
    outcome: Outcome = "gone" if problem.code == ExceptionClosed.code else "refused"
    return BulkResult(exception=exception, outcome=outcome, detail=problem.detail, problem=problem)


def _item(view: ExceptionView, wanted: Wanted, now: datetime) -> BulkItem:
    does, refused = foreseen(view, wanted, now)
    return BulkItem(
        exception=view.id,
        order=view.order,
        code=view.code,
        flow=view.flow,
        task=view.task,
        does=does,
        refused=refused,
    )
