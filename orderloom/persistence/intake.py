"""
Intake: the one way in. What is accepted here is never lost, and never taken twice.

Two keys guard it: the sender's idempotency key, and the sender's own id of the order or event. Bodies are sealed with
the key of the person they tell about.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime
from sqlalchemy import DateTime, LargeBinary, Row, Text, bindparam, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.contracts.messages import Delivery, Receipt
from orderloom.domain.errors import NotFound, OrderloomError
from orderloom.domain.model import Frozen, JsonObject
from orderloom.persistence.digest import canonical, digest
from orderloom.persistence.ids import uuid7
from orderloom.persistence.people import lookup, new_person
from orderloom.persistence.single import fetch
from orderloom.persistence.starting import COLUMNS, Start, start_of
from orderloom.persistence.tables.intake import intake
from orderloom.persistence.vault import DEPLOYMENT, Vault

ORDER_PLACED = "order.placed"


class IdempotencyKeyReused(OrderloomError):
    """The idempotency key was used for another request.

    Use a new key for a new request; repeat a request with exactly the body it had.
    """

    code = "idempotency.key_reused"
    status = 422


class IntakeDuplicate(OrderloomError):
    """The sender's id of this event was used before, with other contents.

    Give every event an id of its own; repeat an event with exactly the body it had.
    """

    code = "intake.duplicate"
    status = 409


class OrderExists(IntakeDuplicate):
    """The channel has placed another order with this external id.

    Give every order an external id of its own; the facts name the order that has this one.
    """

    code = "order.exists"


class Submission(Frozen):
    """A command, or an event from outside, on its way in."""

    kind: Literal["command", "event"]
    type: str
    """The event type that it becomes in the journal, such as ``order.placed``."""
    source: str
    """Channel, location or gateway that it comes from."""
    idempotency_key: str | None = None
    external_id: str | None = None
    """The channel's number of the order, or the source's id of the event."""
    order_id: str | None = None
    """None for a new order: it gets its number here."""
    body: JsonObject
    person: JsonObject | None = None
    """The customer, if *body* names one: that person's key seals the body. Recipients in it are found without."""
    received_at: AwareDatetime
    """When it came in, in the deployment's time; the relay delivers it from then on."""
    business_at: AwareDatetime | None = None
    """Only imports and scenarios set it."""


@dataclass(frozen=True)
class Submitted:
    """What was taken in, now or (``replayed``) when it was sent for the first time."""

    intake_id: str
    order_id: str
    replayed: bool
    status: str
    answer: Receipt | None = None
    start: Start | None = None
    """What the order's workflow starts with, if it was asked for and this was taken in now."""


@dataclass(frozen=True, kw_only=True)
class Undelivered:
    """An intake row that waits for the relay."""

    order_id: str
    delivery: Delivery
    event: bool
    """From outside, where it has happened: it is never refused. Else a command."""
    attempts: int
    position: int


INTO = """
    INSERT INTO intake (id, kind, type, source, idempotency_key, external_id, body_hash, order_id, body, key_id,
                        received_at, business_at, status, due_at)
    """
"""Where every row is inserted, and the columns that all rows are given."""

_INSERTED = f"""
    {INTO}
    VALUES (:id, :kind, :type, :source, :idempotency_key, :external_id, :body_hash,
            COALESCE(:order_id, nextval('order_number')::text), :body, :key_id,
            :received_at, :business_at, 'received', :received_at)
    ON CONFLICT DO NOTHING
    RETURNING id, order_id, source
    """  # columns of ours
_GIVEN = (
    bindparam("order_id", type_=Text),
    bindparam("idempotency_key", type_=Text),
    bindparam("external_id", type_=Text),
    bindparam("body_hash", type_=LargeBinary),
    bindparam("body", type_=LargeBinary),
    bindparam("received_at", type_=DateTime(timezone=True)),
    bindparam("business_at", type_=DateTime(timezone=True)),
)
_INSERT = text(_INSERTED).bindparams(*_GIVEN)
_INSERT_TO_DELIVER = (
    text(
        f"""
        WITH i AS ({_INSERTED})
        SELECT i.id, i.order_id, {COLUMNS}
        FROM i
        LEFT JOIN orders o ON o.id = i.order_id
        LEFT JOIN channels c ON c.id = i.source
        LEFT JOIN releases r ON r.hash = c.release
        """  # noqa: S608  # columns of ours
    )
    .bindparams(*_GIVEN)
    .columns(pin=JSONB, policy=JSONB)
)


async def submit(engine: AsyncEngine, vault: Vault, submission: Submission, *, to_deliver: bool = False) -> Submitted:
    """
    Take a submission in, once: the same one again is answered with the first one's row.

    Args:
        to_deliver: it is delivered at once, so that what the order's workflow starts with is read with it.

    Raises:
        IdempotencyKeyReused: the key came with another type, order or body.
        OrderExists: the channel's external id came with another body.
        IntakeDuplicate: the source's event id came with another body.
    """
    fingerprint = fingerprint_of(submission.type, submission.order_id, submission.body)
    key_id = DEPLOYMENT
    if _is_personal(submission):
        # A repetition must not make keys for a person who has some; without a person the insert finds out by itself.
        mark = lookup(vault, submission.source, submission.person or {})
        person, twin = await _known(engine, submission, fingerprint, mark)
        if twin is not None:
            return twin
        key_id = person or await new_person(vault, submission.received_at)
    sealed = await vault.seal(key_id, canonical(submission.body))
    row = {
        "id": uuid7(submission.received_at),
        **submission.model_dump(include={"kind", "type", "source", "idempotency_key", "external_id"}),
        "body_hash": fingerprint,
        "order_id": submission.order_id,
        "body": sealed,
        "key_id": key_id,
        "received_at": submission.received_at,
        "business_at": submission.business_at,
    }
    for written in await fetch(engine, _INSERT_TO_DELIVER if to_deliver else _INSERT, row):
        start = start_of(written) if to_deliver else None
        return Submitted(written.id, written.order_id, replayed=False, status="received", start=start)
    return await twin_of(engine, submission, fingerprint)


def fingerprint_of(type: str, order_id: str | None, body: JsonObject) -> bytes:
    """Return the hash that tells a repetition from another request; *order_id* is None for a new order."""
    return digest({"type": type, "order": order_id, "body": body})


def _is_personal(submission: Submission) -> bool:
    """Return whether the body tells of a person: a customer, or somebody whom goods are sent to."""
    groups = submission.body.get("delivery_groups")
    sent_to = isinstance(groups, list) and any(isinstance(group, dict) and group.get("recipient") for group in groups)
    return bool(submission.person) or sent_to


_KNOWN = (
    text(
        """
    SELECT p.id AS person, i.id, i.order_id, i.status, i.answer, i.body_hash, i.idempotency_key = :key AS by_key
    FROM (SELECT 1) one
    LEFT JOIN persons p ON p.channel_id = :source AND p.lookup = :mark
    LEFT JOIN intake i ON i.source = :source
        AND (i.idempotency_key = :key OR (i.type = :type AND i.external_id = :external_id))
    ORDER BY by_key DESC NULLS LAST
    """
    )
    .bindparams(
        bindparam("key", type_=Text), bindparam("external_id", type_=Text), bindparam("mark", type_=LargeBinary)
    )
    .columns(answer=JSONB)
)


async def _known(
    engine: AsyncEngine, submission: Submission, fingerprint: bytes, mark: bytes | None = None
) -> tuple[str | None, Submitted | None]:
    """
    Return the person whom *mark* finds, and the row that *submission* repeats; None for what there is not.

    Loud when only the key or the id is the same.
    """
    values = submission.model_dump(include={"source", "type", "external_id"})
    rows = await fetch(engine, _KNOWN, {**values, "key": submission.idempotency_key, "mark": mark})
    twins = [row for row in rows if row.id is not None]
    for row in twins:
        if row.body_hash != fingerprint:
            raise _reused(submission, row)
    return rows[0].person, _submitted(twins[0]) if twins else None


async def twin_of(engine: AsyncEngine, submission: Submission, fingerprint: bytes) -> Submitted:
    """
    Return the row for whose sake *submission* was not inserted.

    Raises:
        IdempotencyKeyReused, OrderExists, IntakeDuplicate: as ``submit``.
    """
    _, twin = await _known(engine, submission, fingerprint)
    if twin is None:
        raise RuntimeError(f"intake refused {submission.type} of {submission.source}, and holds no twin of it")
    return twin


def _reused(submission: Submission, row: Row[*tuple[Any, ...]]) -> OrderloomError:
    if row.by_key:
        detail = f"idempotency key {submission.idempotency_key!r} came with another request before"
        return IdempotencyKeyReused(detail, key=submission.idempotency_key)
    if submission.type == ORDER_PLACED:
        detail = f"order {row.order_id} has external id {submission.external_id!r} of {submission.source!r}"
        return OrderExists(detail, external_id=submission.external_id, order=row.order_id)
    detail = f"{submission.source!r} has sent {submission.type} {submission.external_id!r} with another body"
    return IntakeDuplicate(detail, external_id=submission.external_id, order=row.order_id)


def _submitted(row: Row[*tuple[Any, ...]]) -> Submitted:
    return Submitted(
        intake_id=row.id,
        order_id=row.order_id,
        replayed=True,
        status=row.status,
        answer=None if row.answer is None else Receipt.model_validate(row.answer),
    )


async def status(engine: AsyncEngine, intake_id: str) -> Submitted:
    """
    Return what became of an intake row.

    Raises:
        NotFound: there is none with this id.
    """
    columns = (intake.c.id, intake.c.order_id, intake.c.status, intake.c.answer)
    async with engine.connect() as conn:
        row = (await conn.execute(select(*columns).where(intake.c.id == intake_id))).one_or_none()
    if row is None:
        raise NotFound(f"there is no intake {intake_id}", intake=intake_id)
    return _submitted(row)


_UNDELIVERED = text(
    """
    SELECT id, type, order_id, business_at, kind = 'event' AS event, attempts, position
    FROM (
        (SELECT * FROM intake WHERE status = 'received' AND due_at <= :now AND kind = 'event'
         ORDER BY position LIMIT :limit)
        UNION ALL
        (SELECT * FROM intake WHERE status = 'received' AND due_at <= :now AND kind = 'command'
         ORDER BY position LIMIT :limit)
    ) due
    ORDER BY position
    """
).bindparams(bindparam("now", type_=DateTime(timezone=True)))


async def undelivered(engine: AsyncEngine, now: datetime, limit: int = 500) -> list[Undelivered]:
    """
    Return rows that were taken in but not delivered, due at *now*, in the order they came in.

    Of events and of commands there are at most *limit* each: no number of the ones hides the others.
    """
    rows = await fetch(engine, _UNDELIVERED, {"now": now, "limit": limit})
    return [
        Undelivered(
            order_id=row.order_id,
            delivery=Delivery(intake_id=row.id, type=row.type, business_at=row.business_at),
            event=row.event,
            attempts=row.attempts,
            position=row.position,
        )
        for row in rows
    ]


async def postpone(engine: AsyncEngine, intake_id: str, due_at: datetime) -> None:
    """Count a failed delivery, and let the relay try again at *due_at*. A row delivered meanwhile stays as it is."""
    statement = (
        update(intake)
        .where(intake.c.id == intake_id, intake.c.status == "received")
        .values(attempts=intake.c.attempts + 1, due_at=due_at)
    )
    async with engine.begin() as conn:
        await conn.execute(statement)


async def mark(engine: AsyncEngine, intake_id: str, status: str, answer: Receipt | None = None) -> None:
    """Give up a row that was not delivered (``dead``). What the order's transaction wrote is never overwritten."""
    statement = (
        update(intake)
        .where(intake.c.id == intake_id, intake.c.status == "received")
        .values(status=status, answer=None if answer is None else answer.model_dump(mode="json", exclude_none=True))
    )
    async with engine.begin() as conn:
        await conn.execute(statement)
