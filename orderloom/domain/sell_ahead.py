"""Selling ahead: what a channel may sell of a SKU beyond what is available, and before its release date."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator
from pydantic_core import PydanticCustomError

from orderloom.domain.errors import OrderloomError
from orderloom.domain.model import Frozen, Identifier, Instant
from orderloom.domain.order import Line
from orderloom.domain.units import Pool, UnitState


class StockShort(OrderloomError):
    """The order asks for more than can be promised.

    The facts name each SKU with what was asked and what is left; ask for no more than that, or again later.
    """

    code = "order.stock_short"
    status = 409


class SellAhead(Frozen):
    """The policy of a SKU in a channel. An order keeps what was in force when it was placed."""

    backorder: bool = False
    """Whether units may be sold beyond what is available."""
    limit: Annotated[int, Field(strict=True, ge=0, le=2_000_000_000)] | None = None
    """How many of them may wait for stock at once; left out, any number."""
    until: AwareDatetime | None = None
    """From then on there are no more backorders."""
    release_at: AwareDatetime | None = None
    """A preorder: before this date it may be ordered, and is not routed."""

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if not self.backorder and (self.limit is not None or self.until is not None):
            raise PydanticCustomError("sell_ahead.no_backorder", "limit and until bound a backorder: allow it as well")
        return self

    def allows(self, now: datetime) -> bool:
        """Return whether units may be sold beyond what is available at *now*."""
        return self.backorder and (self.until is None or now < self.until)

    def holds_until(self, now: datetime) -> datetime | None:
        """Return until when a line that is placed at *now* is not routed; None: it is not held."""
        return self.release_at if self.release_at is not None and now < self.release_at else None


class SellAheadKey(Frozen):
    """What a policy is of: a SKU in a channel; without one of the two it is the default of the other."""

    channel: Identifier | None = None
    sku: Identifier | None = None

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.channel is None and self.sku is None:
            raise PydanticCustomError("sell_ahead.of_nothing", "names a channel, a sku, or both")
        return self

    @property
    def key(self) -> "SellAheadKey":
        """Return what tells this policy from others."""
        return SellAheadKey(channel=self.channel, sku=self.sku)

    def __str__(self) -> str:
        """Return it in words, such as ``MUG-BLUE in web``."""
        return f"{self.sku or 'every SKU'} in {self.channel or 'every channel'}"


class SellAheadPolicy(SellAheadKey, SellAhead):
    """What may be sold ahead of a SKU in a channel."""

    @property
    def terms(self) -> SellAhead:
        """Return what the policy says, without what it is of."""
        return SellAhead.model_validate(self.model_dump(exclude={"channel", "sku"}))


class GivenSellAhead(SellAheadPolicy):
    """A policy that somebody puts in force. What was put in force before may name any date, and stays readable."""

    until: Instant | None = None
    release_at: Instant | None = None


UNBOUNDED = SellAhead(backorder=True)
"""What a channel that accepts every order says of a SKU that no policy names."""
REFUSED = SellAhead()
"""What a channel says of it that refuses orders that are short."""


def terms(given: SellAhead | None, when_short: Literal["accept", "refuse"]) -> SellAhead:
    """Return what may be sold ahead of a SKU under the policy *given*, if there is one, in such a channel."""
    if given is not None:
        return given
    return REFUSED if when_short == "refuse" else UNBOUNDED


def backordered(lines: Iterable[Line], pools: Iterable[Pool]) -> Counter[str]:
    """Return by SKU the units that were sold ahead and still wait for stock: of each line no more than are open."""
    ahead = {line.id: line for line in lines if line.sold_ahead}
    if not ahead:
        return Counter()
    waiting: Counter[str] = Counter()
    for pool in pools:
        if pool.line_id in ahead and pool.account.state is UnitState.OPEN:
            waiting[pool.line_id] += pool.quantity
    by_sku: Counter[str] = Counter()
    for id, quantity in waiting.items():
        by_sku[ahead[id].sku or ""] += min(quantity, ahead[id].sold_ahead)
    return by_sku
