"""
Why locations turn units down, and how much that still counts against them.

A location that said yes to stock and then no tells that its stock is not what it says. Each rejection counts by its
reason and fades: after one half-life it counts half, after two a quarter.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator

from orderloom.domain.model import Frozen, Identifier


class RejectReason(StrEnum):
    """The reasons of the reference (section 2.4)."""

    DAMAGED = "damaged"
    JUST_SOLD = "just_sold"
    OTHER = "other"
    OUT_OF_PACKING_SUPPLIES = "out_of_packing_supplies"
    OUT_OF_STOCK = "out_of_stock"


WEIGHTS: dict[RejectReason, float] = {
    RejectReason.DAMAGED: 1.0,
    RejectReason.JUST_SOLD: 1.0,
    RejectReason.OUT_OF_STOCK: 1.0,
    RejectReason.OTHER: 0.5,
    RejectReason.OUT_OF_PACKING_SUPPLIES: 0.5,
}
"""What one rejection counts when it is new: what says nothing of the stock counts half."""

FORGOTTEN = 10
"""Half-lives after which a rejection counts no more: a thousandth of it would be left."""


def _named(value: object) -> object:
    """Read ``Out of Stock`` as ``out_of_stock``, and words that nobody knows as ``other``: a location takes no no."""
    if not isinstance(value, str):
        return value
    name = "_".join(value.lower().replace("-", " ").replace("_", " ").split())
    return name if name in set(RejectReason) else RejectReason.OTHER


Reason = Annotated[RejectReason, BeforeValidator(_named)]
"""A reason in a location's own spelling; what is none of the reasons is ``other``."""


class Rejection(Frozen):
    """Units of one SKU that a location turned down at one time."""

    location: str
    sku: str
    reason: RejectReason
    at: AwareDatetime


class ResetRejections(Frozen):
    """Which of a location's rejections are to count no more."""

    sku: Identifier | None = None
    """Only those of this SKU; left out, all of them."""


def score(rejections: Iterable[Rejection], now: datetime, half_life: float) -> float:
    """
    Return how much *rejections* count at *now*: the sum of weight x 2 ^ -(age / half-life), to six decimals.

    Args:
        half_life: seconds, above 0. What is older than ``FORGOTTEN`` of them does not count.
    """
    total = 0.0
    for rejection in rejections:
        age = max(0.0, (now - rejection.at).total_seconds()) / half_life
        if age <= FORGOTTEN:
            total += WEIGHTS[rejection.reason] * 2.0**-age
    return round(total, 6)
