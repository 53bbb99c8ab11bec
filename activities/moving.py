"""Puts an order on another release, with all its instances, in one transaction; or refuses it, and changes nothing."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.arrivals import Arrival, body_as
from activities.registry import serves
from activities.transaction import Answer, Call, finish, open_unit, order_row
from activities.unit import Services, Unit
from flows_dsl.compiled import CompiledFlow
from flows_dsl.moving import MoveRefused, move
from flows_dsl.release import unpack
from orderloom.contracts.messages import Receipt, ReleasePin
from orderloom.contracts.moving import MOVE, RELEASE_CHANGED, ChangeRelease, Moved, MoveOrder, Whereabouts
from orderloom.domain.errors import NotFound, OrderloomError
from orderloom.domain.model import JsonObject
from orderloom.persistence.conflicts import tried
from orderloom.persistence.flow_bodies import read_bodies
from orderloom.persistence.flows import release as read_release
from orderloom.persistence.journal import lock, mark_finished
from orderloom.persistence.tables.intake import intake
from orderloom.persistence.tables.operations import process_exceptions
from orderloom.persistence.tables.orders import flow_instances
from orderloom.persistence.transactions import Transaction

_UNFINISHED = ("running", "faulted")


class MoveUnsettled(OrderloomError):
    """The order is not where its workflow thinks it is.

    Ask again: an event was lost with a worker, and is being caught up with.
    """

    code = "release.move_unsettled"
    status = 409


@serves(MOVE, MoveOrder, Moved)
async def move_order(services: Services, request: MoveOrder) -> Moved:
    """
    Put the order on the release that the delivery names.

    Asked again, it converges: instances that are not of the order's release by now are moved, whatever the journal
    says already. So nothing is lost when the answer is.

    Raises:
        NotFound: there is no such order, or it has no such intake row.
        MoveUnsettled: an instance is under way that the workflow does not know.
    """
    return await tried(partial(_move_once, services, request))


async def _move_once(services: Services, request: MoveOrder) -> Moved:
    context, intake_id = request.context, request.delivery.intake_id
    async with Transaction(services.engine) as conn:
        call = Call(context=context, key=intake_id, cause=intake_id, input=None)
        locked = await lock(conn, context.order_id, intake_id, call.heard)
        if locked is None:
            raise NotFound(f"there is no order {context.order_id}", order=context.order_id)
        unit = open_unit(services, conn, order_row(locked), call, locked.books, missed=locked.missed)
        return await _Moving(services, conn, unit, request, call).run()


class _Moving:
    def __init__(self, services: Services, conn: AsyncConnection, unit: Unit, request: MoveOrder, call: Call) -> None:
        self._services = services
        self._conn = conn
        self._unit = unit
        self._request = request
        self._call = call
        self._order_id = unit.order.id

    async def run(self) -> Moved:
        await self._require_settled()
        row = await self._row()
        if row.status == "refused":
            await self._note_finished()
            return Moved(receipt=Receipt.model_validate(row.answer))
        known = row.status == "accepted"
        try:
            pin = self._unit.order.pin if known else await self._wanted_pin(row)
            flows, target = await self._flows(pin)
            moved = move(self._request.whereabouts, flows, target)
        except OrderloomError as error:
            return await self._refuse(error, known=known, row=row)
        receipt = Receipt.model_validate(row.answer) if known else await self._accept(row, pin, moved)
        changed = [(a, b) for a, b in zip(self._request.whereabouts, moved, strict=True) if a != b]
        await self._keep(changed)
        done = await finish(self._unit, self._call, Answer(remember=False, order=self._columns(pin)))
        bodies = await read_bodies(self._conn, {one.flow for one in moved} - set(self._call.context.known_flows))
        applied = done.applied.model_copy(update={"flows": {**done.applied.flows, **bodies}})
        return Moved(receipt=receipt, applied=applied, pin=pin, whereabouts=moved)

    async def _require_settled(self) -> None:
        """Refuse when PostgreSQL knows of an instance under way that the workflow does not: it would be lost."""
        ended = {one.instance for one in self._request.context.finished}
        query = select(flow_instances.c.instance).where(
            flow_instances.c.order_id == self._order_id, flow_instances.c.status.in_(_UNFINISHED)
        )
        known = ended | {one.instance for one in self._request.whereabouts}
        known |= {one.instance for one in await self._previous_whereabouts()}
        if unknown := sorted(set(await self._conn.scalars(query)) - known):
            raise MoveUnsettled(
                f"order {self._order_id} has instances under way that nobody runs", instances=[*unknown]
            )

    async def _previous_whereabouts(self) -> list[Whereabouts]:
        """Return how these instances are called if they were moved by this delivery, and the answer was lost."""
        pin = self._unit.order.pin
        if pin.release == self._request.context.pin.release:
            return []
        flows, target = await self._flows(pin)
        try:
            return move(self._request.whereabouts, flows, target)
        except MoveRefused:
            return []

    async def _row(self) -> Any:
        columns = (intake.c[name] for name in ("id", "kind", "type", "source", "status", "answer", "body", "key_id"))
        query = select(*columns).where(
            intake.c.id == self._request.delivery.intake_id, intake.c.order_id == self._order_id
        )
        row = (await self._conn.execute(query)).one_or_none()
        if row is None:
            raise NotFound(f"there is no intake {self._request.delivery.intake_id}", intake=self._call.key)
        return row

    async def _wanted_pin(self, row: Any) -> ReleasePin:
        opened = await self._services.vault.open(row.key_id, row.body)
        given: JsonObject = ChangeRelease.model_validate_json(opened).model_dump()
        arrival = Arrival(id=row.id, kind=row.kind, type=row.type, source=row.source, key_id=row.key_id, body=given)
        return await read_release(self._conn, body_as(arrival, ChangeRelease).release)

    async def _flows(self, pin: ReleasePin) -> tuple[dict[str, CompiledFlow], list[str]]:
        """Return the flows of the instances and of the release by hash, and the hashes of the release's."""
        target = list(dict.fromkeys(hash for started in pin.subscriptions.values() for hash in started))
        hashes = {*target, *(one.flow for one in self._request.whereabouts)}
        bodies = await read_bodies(self._conn, hashes)
        return {hash: unpack(body) for hash, body in bodies.items()}, target

    async def _note_finished(self) -> None:
        finished = [one.model_dump(mode="json") for one in self._request.context.finished]
        await mark_finished(self._conn, self._order_id, finished)

    async def _refuse(self, error: OrderloomError, *, known: bool, row: Any) -> Moved:
        await self._note_finished()
        if known:
            # Moved already, and where the instances stand now they cannot follow: they end in the flow they are in.
            return Moved(receipt=Receipt.model_validate(row.answer), pin=self._unit.order.pin)
        receipt = Receipt(status="refused", problem=error.problem())
        await self._answer(receipt)
        return Moved(receipt=receipt)

    async def _accept(self, row: Any, pin: ReleasePin, moved: Sequence[Whereabouts]) -> Receipt:
        previous = self._unit.order.pin.release
        seq = None
        if pin.release != previous:
            data: JsonObject = {"release": pin.release, "previous": previous, "instances": len(moved)}
            seq = self._unit.journal(RELEASE_CHANGED, data, id=row.id, source=row.source, cause=row.id)
        receipt = Receipt(status="accepted", seq=seq)
        await self._answer(receipt)
        return receipt

    async def _answer(self, receipt: Receipt) -> None:
        answer = receipt.model_dump(mode="json", exclude_none=True)
        changed = update(intake).where(intake.c.id == self._request.delivery.intake_id)
        await self._conn.execute(changed.values(status=receipt.status, answer=answer))

    def _columns(self, pin: ReleasePin) -> dict[str, Any]:
        wanted = sorted({*pin.subscriptions, *self._request.listening})
        return {"release": pin.release, "pin": pin.model_dump(mode="json"), "wanted": wanted}

    async def _keep(self, changed: Sequence[tuple[Whereabouts, Whereabouts]]) -> None:
        """Keep where moved instances go on: a revival starts them there, for what they did has keys of other paths."""
        for before, after in changed:
            values = {"order_id": self._order_id, "instance": before.instance}
            await self._conn.execute(_LEFT, values)
            row = {
                "order_id": self._order_id,
                "instance": after.instance,
                "flow": after.flow,
                "seq": after.event.seq,
                "status": "running",
                "moved": after.model_dump(mode="json"),
            }
            entered = upsert(flow_instances).values(row)
            again = {"moved": entered.excluded.moved, "status": entered.excluded.status}
            await self._conn.execute(entered.on_conflict_do_update(index_elements=["order_id", "instance"], set_=again))
            await self._follow(before, after)

    async def _follow(self, before: Whereabouts, after: Whereabouts) -> None:
        """Attach the open exceptions at which an instance waits to the instance that it becomes."""
        for old, new in zip(_places(before), _places(after), strict=True):
            statement = (
                update(process_exceptions)
                .where(process_exceptions.c.order_id == self._order_id, process_exceptions.c.attached_to == old)
                .values(attached_to=new, instance=after.instance)
            )
            await self._conn.execute(statement)


def _places(one: Whereabouts) -> list[str]:
    """Return what exceptions of an instance are attached to: each task it is at, and the instance itself."""
    frames: Any = (one.state or {}).get("frames", [])
    return [one.instance, *(f"{one.instance}{frame['path']}/{frame.get('index', 0)}" for frame in frames)]


_LEFT = text("UPDATE flow_instances SET status = 'moved' WHERE order_id = :order_id AND instance = :instance")
