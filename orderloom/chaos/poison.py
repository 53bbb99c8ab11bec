"""Messages that nobody can understand: they must hold up no other order, and be seen."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from sqlalchemy import insert, text

from orderloom.bootstrap.clock import Clock
from orderloom.chaos.errors import BlowMissed
from orderloom.chaos.outside import GLANCE
from orderloom.chaos.scene import Scene
from orderloom.persistence.ids import uuid7
from orderloom.persistence.tables.intake import intake
from orderloom.persistence.vault import DEPLOYMENT
from worker.relay import GIVE_UP_AFTER

POISON = "poison"
NOT_JSON = b"\x00 this was never JSON"
WITHIN = 20.0
"""Seconds in which the relay must have dealt with it."""


@dataclass(frozen=True)
class Poison:
    """Rows of intake with contents that cannot be opened, or cannot be read."""

    kind: str = POISON
    detail: str = "events whose contents cannot be opened or read, for two orders and for none"

    async def fall(self, scene: Scene) -> None:
        """Put them in, and wait until each is dealt with: journaled as unexpected, refused, or given up."""
        one, other = scene.outside.unfinished[:2]
        now = Clock().now()
        sealed = await scene.vault.seal(DEPLOYMENT, NOT_JSON)
        rows = [
            _row("location.noted", one.number, b"\x01" * 40, now),
            _row("fulfillment.shipped", other.number, sealed, now),
            _row("order.placed", "no-order", sealed, now),
        ]
        async with scene.engine.begin() as conn:
            await conn.execute(insert(intake), rows)
        # Nobody can place what belongs to no channel: that one is given up.
        scene.dead += 1
        ends = monotonic() + WITHIN
        while waiting := await _undelivered(scene, [str(row["id"]) for row in rows]):
            if monotonic() > ends:
                raise BlowMissed(f"{waiting} of {len(rows)} poisonous rows still wait after {WITHIN:.0f} s")
            await asyncio.sleep(GLANCE)


def _row(type: str, order: str, body: bytes, now: datetime) -> dict[str, object]:
    id = uuid7(now)
    return {
        "id": id,
        "kind": "command" if type == "order.placed" else "event",
        "type": type,
        "source": POISON,
        "external_id": id,
        "body_hash": b"",
        "order_id": order,
        "body": body,
        "key_id": DEPLOYMENT,
        "received_at": now,
        "status": "received",
        # As if it had been tried for hours: the next failure is the last.
        "attempts": GIVE_UP_AFTER,
        "due_at": now,
    }


async def _undelivered(scene: Scene, ids: list[str]) -> int:
    query = text("SELECT count(*) FROM intake WHERE id = ANY(:ids) AND status = 'received'")
    async with scene.engine.connect() as conn:
        return await conn.scalar(query, {"ids": ids}) or 0
