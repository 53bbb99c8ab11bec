"""Reads what is recorded of an order, as of every moment of its life. Reads only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.header import header_of
from activities.unit import OrderRow
from flows_dsl.past import Answer, Decided, Past
from flows_dsl.runner import Resolution
from flows_dsl.verdicts import PastInstance
from orderloom.contracts.actions import CORE_ACTIONS
from orderloom.contracts.messages import Event
from orderloom.domain.errors import Problem
from orderloom.domain.exceptions import Decision
from orderloom.domain.model import JsonObject
from orderloom.persistence.books import (
    BALANCES,
    EXCEPTIONS,
    FULFILLMENT_ORDERS,
    INTENTS,
    LINES,
    MONEY,
    PAYMENTS,
    Book,
    Books,
    Rows,
    read_books,
)
from orderloom.persistence.standing import Standing
from orderloom.persistence.tables.fulfillment import fulfillment_orders, routing_attempts
from orderloom.persistence.tables.ledgers import money_entries, unit_entries
from orderloom.persistence.tables.operations import process_exceptions
from orderloom.persistence.tables.orders import flow_instances, idempotency, journal, orders
from orderloom.persistence.tables.payments import payment_intents

_SETTLED = "!settle-"
_ENDED = ("fulfilled", "rejected", "cancelled")
_OPEN, _WAITING = "allocated", "new"
"""A status that is counted stands for all of them."""


@dataclass(frozen=True)
class OrderPast:
    """What is recorded of an order, the instances of its flows, and the release that it is on."""

    past: Past
    instances: list[PastInstance]
    release: str


async def read_past(conn: AsyncConnection, order: str, until: datetime) -> OrderPast:
    """Return what is recorded of an order until now, which is *until*."""
    rows = _Rows(conn, order)
    entries = await rows.of(select(journal).where(journal.c.order_id == order).order_by(journal.c.seq))
    events = [Event.model_validate(row, from_attributes=True) for row in entries]
    by_seq = {event.seq: event for event in events}
    found = await rows.of(
        select(flow_instances).where(flow_instances.c.order_id == order).order_by(flow_instances.c.seq)
    )
    instances = [PastInstance(event=by_seq[row.seq], flow=row.flow, status=row.status) for row in found]
    remembered = await rows.of(select(idempotency).where(idempotency.c.order_id == order))
    spans = [(row.answer["first"], row.answer["last"]) for row in remembered]
    ledger = await _Ledger.read(rows, events)
    past = Past(
        events=events,
        answers=_answers({row.key: row for row in remembered}),
        faults=await _faults(rows),
        header=ledger.header,
        until=max([until, *(event.time for event in events)]),
        errors=_errors,
        settled=lambda seq: max((last for first, last in spans if first <= seq <= last), default=seq),
    )
    return OrderPast(past, instances, ledger.release)


class _Rows:
    def __init__(self, conn: AsyncConnection, order: str) -> None:
        self._conn = conn
        self.order = order

    async def of(self, query: Select[Any]) -> Sequence[Any]:
        return (await self._conn.execute(query)).all()

    async def books(self, *books: Book) -> Books:
        return await read_books(self._conn, self.order, *books)


def _answers(rows: Mapping[str, Any]) -> dict[str, Answer | None]:
    """Return the answers of calls by key: of one to the outside, what it came to when all was settled."""
    settled = {
        key.partition(_SETTLED)[0]: row.answer
        for key, row in rows.items()
        if _SETTLED in key and not row.answer["requests"]
    }
    found: dict[str, Answer | None] = {}
    for key, row in rows.items():
        if _SETTLED not in key:
            whole = row.answer if not row.answer["requests"] else settled.get(key)
            asked = row.input_hash.hex()[:32]
            found[key] = whole and Answer(output=whole["output"], seq=whole["last"], asked=asked)
    return found


async def _faults(rows: _Rows) -> dict[str, list[Decided]]:
    table = process_exceptions.c
    query = select(process_exceptions).where(table.order_id == rows.order, table.error.is_not(None))
    found: dict[str, list[Decided]] = {}
    for row in await rows.of(query.order_by(table.number)):
        decided = Decision.model_validate({**row.decision, "exception": row.id}) if row.decision else None
        resolution = decided and Resolution(
            kind="cancel" if decided.kind == "resolved" else decided.kind,
            input=decided.input,
            output=decided.output,
            task=decided.task,
            exception=row.id,
        )
        found.setdefault(row.attached_to, []).append(
            Decided(problem=Problem.model_validate(row.error), resolution=resolution)
        )
    return found


@cache
def _errors(action: str) -> tuple[Problem, ...]:
    contract = next((each for each in CORE_ACTIONS if each.activity == action), None)
    kinds = () if contract is None else contract.errors
    return tuple(kind(kind.title()).problem() for kind in kinds)


class _Ledger:
    """The order's books, so that its header can be told as of any number of its journal."""

    def __init__(
        self,
        order: OrderRow,
        release: str,
        events: Sequence[Event],
        lasting: Mapping[Book, Rows],
        rows: Mapping[str, Sequence[Any]],
    ) -> None:
        self._order = order
        self.release = release
        self._times = [(event.seq, event.time) for event in events]
        self._lasting = lasting
        """Books that say the same at any time."""
        self._rows = rows
        self._known: dict[int, JsonObject] = {}

    @classmethod
    async def read(cls, rows: _Rows, events: Sequence[Event]) -> "_Ledger":
        """Read all of it at once."""
        of = rows.order
        columns = [orders.c[name] for name in (*OrderRow.model_fields, "release")]
        [order] = await rows.of(select(*columns).where(orders.c.id == of))
        given = {name: getattr(order, name) for name in OrderRow.model_fields}
        tables = (
            unit_entries,
            money_entries,
            payment_intents,
            fulfillment_orders,
            routing_attempts,
            process_exceptions,
        )
        read = {table.name: await rows.of(select(table).where(table.c.order_id == of)) for table in tables}
        books = await rows.books(LINES, PAYMENTS)
        lasting = {book: books.rows(book) for book in (LINES, PAYMENTS)}
        return cls(OrderRow.model_validate(given), order.release, events, lasting, read)

    def header(self, seq: int) -> JsonObject:
        """Return what expressions saw when the journal was at *seq*."""
        if seq not in self._known:
            at = max((time for number, time in self._times if number <= seq), default=self._order.placed_at)
            attempts = sum(row.at <= at for row in self._rows["routing_attempts"])
            standing = Standing(Books.of_rows({**self._lasting, **self._entered(seq), **self._open(at)}))
            self._known[seq] = header_of(self._order, standing, seq=seq, routing_attempts=attempts)
        return self._known[seq]

    def _entered(self, seq: int) -> dict[Book, Rows]:
        """Return the ledgers as of a number of the journal, entry by entry."""
        return {
            BALANCES: [
                (row.line_id, row.state, row.place, row.fulfillment_order_id, row.quantity, row.amount, row.tax)
                for row in self._rows["unit_entries"]
                if row.seq <= seq
            ],
            MONEY: [
                (row.account, row.payment_id, row.document_id, row.amount)
                for row in self._rows["money_entries"]
                if row.seq <= seq
            ],
        }

    def _open(self, at: datetime) -> dict[Book, Rows]:
        """Return what was open at an instant, and what gateways had been asked."""
        return {
            FULFILLMENT_ORDERS: [
                (row.id, _OPEN)
                for row in self._rows["fulfillment_orders"]
                if row.created_at <= at and (row.status not in _ENDED or row.closed_at > at)
            ],
            EXCEPTIONS: [
                (row.id, _WAITING)
                for row in self._rows["process_exceptions"]
                if row.created_at <= at and (row.ended_at is None or row.ended_at > at)
            ],
            INTENTS: [_intent(row, at) for row in self._rows["payment_intents"] if row.created_at <= at],
        }


def _intent(row: Any, at: datetime) -> list[Any]:
    """Return an intent as it stood at an instant: before it was settled it was only asked for."""
    outcome = row.outcome if row.settled_at is not None and row.settled_at <= at else "requested"
    return [outcome if name == "outcome" else getattr(row, name) for name in INTENTS.columns]
