"""What an order's workflow starts with: the flows of its own pin, or those in force in its channel for a new order."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.contracts.messages import ReleasePin
from orderloom.domain.channel import ChannelPolicy
from orderloom.persistence.single import fetch


@dataclass(frozen=True)
class Start:
    """What a workflow starts with."""

    pin: ReleasePin | None
    """None: the channel has no release in force."""
    service_window: float
    """Seconds that a finished order stays open for commands."""
    known: bool
    """The order is there: its workflow rebuilds its state."""


COLUMNS = "COALESCE(o.pin, r.pin) AS pin, COALESCE(o.policy, c.policy) AS policy, o.id IS NOT NULL AS known"
"""What ``start_of`` reads, of an order *o* and the release *r* in force in the channel *c* that placed it."""

_START = text(
    f"""
    SELECT {COLUMNS}
    FROM (SELECT 1) one
    LEFT JOIN orders o ON o.id = :order_id
    LEFT JOIN intake i ON i.id = :intake_id
    LEFT JOIN channels c ON c.id = i.source
    LEFT JOIN releases r ON r.hash = c.release
    """  # noqa: S608  # columns of ours
).columns(pin=JSONB, policy=JSONB)


async def start_for(engine: AsyncEngine, order_id: str, intake_id: str | None) -> Start:
    """Return what the workflow of an order starts with; a new one's channel is that of the intake row."""
    (row,) = await fetch(engine, _START, {"order_id": order_id, "intake_id": intake_id})
    return start_of(row)


def start_of(row: Row[*tuple[Any, ...]]) -> Start:
    """Return what ``COLUMNS`` say."""
    return Start(
        pin=None if row.pin is None else ReleasePin.model_validate(row.pin),
        service_window=0.0 if row.policy is None else ChannelPolicy.model_validate(row.policy).service_window,
        known=row.known,
    )
