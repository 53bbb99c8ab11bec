"""Reports: events from outside about something that an order has. One statement finds the order and takes them in."""

from typing import Literal

from pydantic import AwareDatetime
from sqlalchemy import DateTime, LargeBinary, Text, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.domain import ids
from orderloom.domain.model import Frozen, JsonObject
from orderloom.persistence.digest import canonical
from orderloom.persistence.ids import uuid7
from orderloom.persistence.intake import INTO, Submission, Submitted, fingerprint_of, twin_of
from orderloom.persistence.single import fetch
from orderloom.persistence.starting import start_of
from orderloom.persistence.vault import DEPLOYMENT, Vault


class Report(Frozen):
    """An event from outside about something that an order has: whose it is, is found when it is taken in."""

    type: str
    about: Literal["fulfillment_order", "payment_intent"]
    id: str
    """Of what it tells about."""
    source: str | None = None
    """The gateway that an intent was sent to. None: who works on the fulfillment order, a location or ``digital``."""
    external_id: str
    """The source's id of the event."""
    body: JsonObject
    """It names no person: the deployment's key seals it."""
    received_at: AwareDatetime


_OWNERS = {
    "fulfillment_order": """
        SELECT f.order_id, COALESCE(f.location_id, f.kind) AS source, :type = ANY(o.wanted) AS wanted, o.pin, o.policy
        FROM fulfillment_orders f JOIN orders o ON o.id = f.order_id
        WHERE f.id = :about AND f.order_id = :order_id
        """,
    "payment_intent": """
        SELECT n.order_id, p.gateway AS source, :type = ANY(o.wanted) AS wanted, o.pin, o.policy
        FROM payment_intents n JOIN payments p ON p.id = n.payment_id JOIN orders o ON o.id = n.order_id
        WHERE n.id = :about AND n.order_id = :order_id AND p.gateway = :source
        """,
}
_REPORT = {
    about: text(
        f"""
        WITH owner AS ({owner}), i AS (
            {INTO}
            SELECT :id, 'event', :type, source, NULL, :external_id, :body_hash, order_id, :body, :key_id,
                   :received_at, NULL, 'received', :received_at
            FROM owner
            ON CONFLICT DO NOTHING
            RETURNING id
        )
        SELECT i.id, owner.source, owner.wanted, TRUE AS known,
               CASE WHEN owner.wanted THEN owner.pin END AS pin, CASE WHEN owner.wanted THEN owner.policy END AS policy
        FROM owner LEFT JOIN i ON TRUE
        """  # noqa: S608  # conditions of ours
    )
    .bindparams(
        *(bindparam(name, type_=Text) for name in ("id", "type", "about", "order_id", "external_id", "key_id")),
        *(bindparam(name, type_=LargeBinary) for name in ("body_hash", "body")),
        bindparam("received_at", type_=DateTime(timezone=True)),
    )
    .columns(pin=JSONB, policy=JSONB)
    for about, owner in _OWNERS.items()
}


async def submit_report(engine: AsyncEngine, vault: Vault, report: Report) -> tuple[Submitted, bool] | None:
    """
    Take a report in, once, and tell whether its type wakes the order's workflow; None: nobody has what it is about.

    A report that wakes it and was taken in now comes with what the workflow starts with.

    Raises:
        IntakeDuplicate: the source's event id came with another body.
    """
    order_id = ids.order_of(report.id)
    fingerprint = fingerprint_of(report.type, order_id, report.body)
    row = {
        "id": uuid7(report.received_at),
        "order_id": order_id,
        "about": report.id,
        **report.model_dump(include={"type", "external_id", "received_at"}),
        "body_hash": fingerprint,
        "body": await vault.seal(DEPLOYMENT, canonical(report.body)),
        "key_id": DEPLOYMENT,
    }
    if report.source is not None:
        row["source"] = report.source
    found = await fetch(engine, _REPORT[report.about], row)
    if not found:
        return None
    (written,) = found
    if written.id is None:
        submission = Submission(
            kind="event",
            source=written.source,
            order_id=order_id,
            **report.model_dump(include={"type", "external_id", "body", "received_at"}),
        )
        return await twin_of(engine, submission, fingerprint), written.wanted
    start = start_of(written) if written.wanted else None
    return Submitted(written.id, order_id, replayed=False, status="received", start=start), written.wanted
