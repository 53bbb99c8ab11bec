"""What a quiet order tells PostgreSQL, and what a revived order needs to go on."""

from sqlalchemy import ARRAY, DateTime, Text, any_, bindparam, select, text, update
from sqlalchemy.dialects.postgresql import JSONB

from activities.registry import serves
from activities.transaction import Answer, Call, transact, unknown_flows
from activities.unit import Services, Unit
from orderloom.contracts.messages import Event, Park, Parked, Rebuild, Rebuilt
from orderloom.contracts.moving import RELEASE_CHANGED
from orderloom.contracts.queues import PARK, REBUILD
from orderloom.domain.exception_status import UNSETTLED
from orderloom.domain.model import Json, JsonObject
from orderloom.persistence.flow_bodies import read_bodies
from orderloom.persistence.tables.operations import process_exceptions
from orderloom.persistence.tables.orders import flow_instances, journal

_SEEN = (
    text(
        """
    SELECT j.seq, j.id, j.source, j.type, j.time, j.data,
           EXISTS (SELECT 1 FROM intake i
                   WHERE i.order_id = :order_id AND i.status = 'received' AND i.type = ANY(:wanted)) AS pending
    FROM (SELECT 1) one LEFT JOIN journal j
        ON j.order_id = :order_id AND j.seq > :after AND j.type = ANY(:wanted)
    ORDER BY j.seq
    """
    )
    .bindparams(bindparam("wanted", type_=ARRAY(Text)))
    .columns(time=DateTime(timezone=True))
)

_LEFT = (
    update(process_exceptions)
    .where(
        process_exceptions.c.order_id == bindparam("of_order"),
        process_exceptions.c.id == any_(bindparam("left", type_=ARRAY(Text))),
        # What was decided at that very moment stands as decided.
        process_exceptions.c.status.in_(UNSETTLED),
    )
    .values(status="voided", ended_at=bindparam("now"))
)

_UNFINISHED = (
    select(journal.c.seq, journal.c.id, journal.c.source, journal.c.type, journal.c.time, journal.c.data)
    .where(
        journal.c.order_id == bindparam("order_id"),
        journal.c.seq.in_(
            select(flow_instances.c.seq).where(
                flow_instances.c.order_id == bindparam("order_id"),
                flow_instances.c.status.in_(("running", "faulted")),
                flow_instances.c.moved.is_(None),
            )
        ),
    )
    .order_by(journal.c.seq)
)

_MOVED = text(
    """
    SELECT f.moved, j.seq AS moved_at
    FROM (SELECT COALESCE(MAX(seq), 0) AS seq FROM journal WHERE order_id = :order_id AND type = :changed) j
    LEFT JOIN flow_instances f
        ON f.order_id = :order_id AND f.status IN ('running', 'faulted') AND f.moved IS NOT NULL
    ORDER BY f.seq, f.instance
    """
).columns(moved=JSONB)
"""Instances that came from another release, and the number of the event at which the order came to this one."""


@serves(PARK, Park, Parked)
async def park(services: Services, request: Park) -> Parked:
    """
    Keep what the order waits for, under its row's lock, and return what came before that was known.

    Exceptions that were left are voided. An order that closes stays open when there are such events, or undelivered
    ones that it wants.
    """
    parked = Parked()

    async def body(unit: Unit) -> Answer:
        nonlocal parked
        wanted = sorted({*request.context.pin.subscriptions, *request.wanted})
        values = {"order_id": unit.order.id, "wanted": wanted, "after": request.after}
        rows = (await unit.read(_SEEN, values)).all()
        events = [Event.model_validate(row, from_attributes=True) for row in rows if row.seq is not None]
        parked = Parked(events=events, pending=rows[0].pending)
        closes = request.closing and not events and not parked.pending
        if request.left:
            values = {"of_order": unit.order.id, "left": request.left, "now": unit.now}
            await (await unit.written()).execute(_LEFT, values)
        order = {
            "wanted": wanted,
            "next_due_at": None if closes else request.next_due_at,
            "closed_at": unit.now if closes else None,
        }
        return Answer(remember=False, order=order)

    call = Call(context=request.context, key="park", cause="park", input=None, by_workflow=False)
    await transact(services, call, body)
    return parked


@serves(REBUILD, Rebuild, Rebuilt)
async def rebuild(services: Services, request: Rebuild) -> Rebuilt:
    """Read back an order's state; the flows of unfinished instances start again, and their bodies come along."""
    unfinished: list[Event] = []
    moved: list[JsonObject] = []
    seq = moved_at = 0

    async def body(unit: Unit) -> Answer:
        nonlocal seq, moved_at
        rows = await unit.read(_UNFINISHED, {"order_id": unit.order.id})
        unfinished.extend(Event.model_validate(row) for row in rows.mappings())
        for row in await unit.read(_MOVED, {"order_id": unit.order.id, "changed": RELEASE_CHANGED}):
            moved_at = row.moved_at
            moved.extend([row.moved] if row.moved else [])
        seq = unit.order.seq
        conn = await unit.written()
        flows: dict[str, Json] = {**await unknown_flows(conn, request.context, unfinished)}
        elsewhere = {str(one["flow"]) for one in moved} - set(request.context.known_flows)
        flows |= await read_bodies(conn, elsewhere) if elsewhere else {}
        return Answer(output=flows, remember=False)

    call = Call(context=request.context, key="rebuild", cause="rebuild", input=None)
    done = await transact(services, call, body)
    flows = {hash: str(body) for hash, body in done.output.items()}
    applied = done.applied.model_copy(update={"flows": flows})
    return Rebuilt(applied=applied, seq=seq, unfinished=unfinished, moved=moved, moved_at=moved_at)
