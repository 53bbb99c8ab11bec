"""
One transaction on one order: what an action may read and write while it holds the order's row.

Nothing is committed here; ``activities.transaction`` opens, numbers and closes it.
"""

import json
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Literal, Self, cast

from pydantic import AwareDatetime
from sqlalchemy import CursorResult, Executable, Select, Table, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.questions import Ask, Question
from activities.savepoints import Savepoint
from orderloom.contracts.messages import ActionDone, Context, Event, ReleasePin
from orderloom.domain.channel import ChannelPolicy
from orderloom.domain.errors import NotFound
from orderloom.domain.funds import OrderFunds, Posting
from orderloom.domain.model import Frozen, JsonObject
from orderloom.domain.order import Line
from orderloom.domain.sell_ahead import backordered
from orderloom.domain.units import Movement, Pool, UnitState, apply
from orderloom.persistence.books import ALL, BALANCES, LINES, Book, Books, Rows, read_told
from orderloom.persistence.ledgers import in_order, lines_and_pools, movement_rows, posting_rows
from orderloom.persistence.standing import Standing
from orderloom.persistence.tables.fulfillment import fulfillment_orders
from orderloom.persistence.tables.intake import intake
from orderloom.persistence.tables.ledgers import money_entries, unit_entries
from orderloom.persistence.tables.operations import process_exceptions
from orderloom.persistence.tables.payments import payment_intents, payments
from orderloom.persistence.vault import Vault
from orderloom.persistence.writes import Values, Writes, tables_in

_SUMMED = frozenset({fulfillment_orders, payment_intents, payments, process_exceptions})
"""Tables that the order's sums are made of beside the ledgers."""


class Fact[T]:
    """
    Something that a transaction has read or written and remembers, so that what follows in it need not read it again.

    What is remembered is not changed: whoever changes what it tells remembers it anew, or forgets it.
    """


@dataclass(frozen=True)
class Services:
    """What the activities of one worker share: the database, the vault of the keys, and what goes on by itself."""

    engine: AsyncEngine
    vault: Vault
    go_on: "GoOn | None" = None
    """Does what flows ask for next (``activities.ahead``); without it every call is a transaction of its own."""
    ask: Ask | None = None
    """Asks gateways between transactions (``activities.asking``); without it the workflow has them asked."""


type GoOn = Callable[[Unit, Context, str, ActionDone, int], Awaitable[ActionDone]]
"""
Takes a closed unit with its context and the key of its call, what it answers, and how many calls it may do at most;
returns the answer with what was done beyond it, and leaves in the unit what gateways are to be asked.
"""


class OrderRow(Frozen):
    """The order as its row said when it was locked."""

    id: str
    channel_id: str
    external_id: str
    currency: str
    life_cycle: Literal["managed", "unmanaged"]
    ship_complete: bool
    person_id: str | None
    policy: ChannelPolicy
    placed_at: AwareDatetime
    pin: ReleasePin
    seq: int
    wanted: list[str]
    routing_attempts: int
    priority: int
    closed_at: AwareDatetime | None


@dataclass
class Buffer:
    """What closing the transaction takes in beside rows."""

    events: list[tuple[Event, str]] = field(default_factory=list[tuple[Event, str]])
    """Each with its cause."""
    order: Values = field(default_factory=dict[str, Any])
    """Columns of the order's row that change beside its number."""


class Unit:
    """
    One transaction on one order, under the lock of its row.

    What it enters and changes is written behind: when a table is read that it concerns, or when the transaction closes.
    Actions therefore read first and write last, and most cost one statement of writing.
    """

    def __init__(
        self,
        services: Services,
        conn: AsyncConnection,
        order: OrderRow,
        *,
        now: datetime,
        cause: str,
        key: str,
        books: Books,
        standing: Standing | None = None,
        writes: Writes | None = None,
        ledger: tuple[list[Line], list[Pool]] | None = None,
        facts: dict[Fact[Any], Any] | None = None,
        before: Sequence[Event] = (),
    ) -> None:
        """
        Take an open transaction that has locked the row of *order*, its books as far as known, and how it stands.

        Units of several orders that share a transaction share its *writes*, too.
        """
        self._conn = conn
        self.order = order
        self.now = now
        """Business time."""
        self.cause = cause
        """Flow name and task pointer, or intake id."""
        self.key = key
        """The action's idempotency key; while settling, the one it was prepared with."""
        self.services = services
        self.buffer = Buffer()
        self._books = books
        self._standing = standing
        self._writes = Writes() if writes is None else writes
        self._savepoints: list[Savepoint] = []
        self._ledger = self._found = ledger
        self._facts = {} if facts is None else facts
        self._before = before
        self.missed: Sequence[Event] = ()
        """What others have journaled since the workflow looked, of what it wants to hear."""
        self.contended = False
        """Whether it holds rows that other orders want: it is to come to its end."""
        self.question: Question | None = None
        """What is to be asked once it is committed."""

    def following(self, *, cause: str, key: str) -> Self:
        """Return the unit of what comes next in the same transaction. This one is closed."""
        columns = {name: value for name, value in self.buffer.order.items() if name in OrderRow.model_fields}
        seq = self.order.seq + len(self.buffer.events)
        order = self.order.model_copy(update={"closed_at": None, **columns, "seq": seq})
        following = type(self)(
            self.services,
            self._conn,
            order,
            now=self.now,
            cause=cause,
            key=key,
            books=self._books,
            standing=self._standing,
            writes=self._writes,
            ledger=self._ledger,
            facts=self._facts,
            before=self.events,
        )
        following.contended = self.contended
        return following

    @property
    def seq(self) -> int:
        """Return the journal number that rows written now carry."""
        return self.order.seq + max(1, len(self.buffer.events))

    @property
    def events(self) -> list[Event]:
        """Return what this transaction has journaled so far, written or not, by the calls before this one, too."""
        return [*self._before, *(event for event, _ in self.buffer.events)]

    @property
    def routing_attempts(self) -> int:
        """Return how many routing attempts there were, this transaction's included."""
        return cast("int", self.buffer.order.get("routing_attempts", self.order.routing_attempts))

    def journal(
        self, type: str, data: JsonObject, *, id: str | None = None, source: str = "orderloom", cause: str | None = None
    ) -> int:
        """Add an event to the order's journal when the transaction closes, and return its number."""
        seq = self.order.seq + len(self.buffer.events) + 1
        event = Event(seq=seq, id=id or f"{self.order.id}:{seq}", source=source, type=type, time=self.now, data=data)
        self.buffer.events.append((event, cause or self.cause))
        return seq

    def change_order(self, **columns: Any) -> None:
        """Change columns of the order's row when the transaction closes."""
        self.buffer.order.update(columns)

    def enter(self, table: Table, *rows: Values) -> None:
        """Enter *rows* into *table*."""
        if self._standing is not None:
            self._standing.enter(table, rows)
        self._books.forget(table)
        self._writes.enter(table, rows)

    def enter_or_change(self, table: Table, row: Values, columns: Sequence[str]) -> None:
        """Enter *row* into *table*, or set its *columns* if its key is there already."""
        self._books.forget(table)
        self._writes.enter_or_change(table, row, columns)

    def enter_once(self, table: Table, *rows: Values) -> None:
        """Enter those of *rows* whose key *table* does not have yet."""
        self._books.forget(table)
        self._writes.enter(table, rows, exact=False)

    def change(self, table: Table, key: Values, values: Values, *, exact: bool = True) -> None:
        """Set *values* in the row of *table* that has the values *key*; unless *exact* there may be none."""
        if table in _SUMMED and self._standing is not None and not self._standing.change(table, key["id"], values):
            self._standing = None
        self._books.forget(table)
        self._writes.change(table, key, values, exact=exact)

    def remember[T](self, fact: Fact[T], value: T) -> None:
        """Remember *value* for what follows in the transaction."""
        self._facts[fact] = value

    def recall[T](self, fact: Fact[T]) -> T | None:
        """Return what is remembered, or None."""
        return self._facts.get(fact)

    def forget(self, fact: Fact[Any]) -> None:
        """Have it read again when it is needed."""
        self._facts.pop(fact, None)

    async def standing(self) -> Standing:
        """Return how the order stands, with what this transaction has done so far."""
        if self._standing is None:
            await self._open(*ALL)
            self._standing = Standing(self._books)
        return self._standing

    async def book(self, book: Book) -> Rows:
        """Return the rows of one of the order's books, with what this transaction has done so far."""
        await self._open(book)
        return self._books.rows(book)

    async def _open(self, *books: Book) -> None:
        if unknown := [book for book in books if not self._books.known(book)]:
            if self._writes.touch({book.table.name for book in unknown}):
                await self.written()
            self._books.learn(await read_told(self._conn, self.order.id, unknown))

    async def written(self) -> AsyncConnection:
        """Write what is to be written, and return the connection: what is read there sees it."""
        if self._writes:
            await self._writes.write(await self.at_once())
        return self._conn

    async def connection(self) -> AsyncConnection:
        """Return the connection, for a statement on rows that other orders want, too: stock and capacity."""
        self.contended = True
        return await self.at_once()

    async def at_once(self) -> AsyncConnection:
        """Return the connection, for a statement that neither sees nor needs what is to be written."""
        for savepoint in self._savepoints:
            await savepoint.begin(self._conn)
        return self._conn

    async def read(
        self, query: Executable, values: Values | None = None, *, known: Collection[Table] = ()
    ) -> CursorResult[*tuple[Any, ...]]:
        """Run *query*, which sees what this transaction has written so far; it need not of tables that are *known*."""
        if self._writes and self._writes.touch(tables_in(query) - {table.name for table in known}):
            await self.written()
        return await self._conn.execute(query, values)

    async def pools(self, *states: UnitState) -> list[Pool]:
        """
        Return the balances of the order's units that are not zero, by line position; without *states* all of them.

        The counter-account ``source`` is only returned when it is asked for.
        """
        _, pools = await self._read()
        return [
            pool
            for pool in pools
            if (pool.account.state in states if states else pool.account.state is not UnitState.SOURCE)
        ]

    async def lines(self) -> list[Line]:
        """Return the order's lines by position."""
        lines, _ = await self._read()
        return list(lines)

    def preload(self, lines: list[Line], pools: list[Pool]) -> None:
        """Take the order's lines and balances, which were read under the lock of its row."""
        self._ledger = self._found = lines, pools

    async def _read(self) -> tuple[list[Line], list[Pool]]:
        if self._ledger is None:
            await self._open(LINES, BALANCES)
            self._ledger = self._found = lines_and_pools(self._books)
        return self._ledger

    async def move_units(self, movements: Sequence[Movement]) -> None:
        """Enter *movements* into the ledger of units, two rows each."""
        rows = movement_rows(self.order.id, self.seq, movements)
        if not rows:
            return
        self._books.forget(unit_entries)
        self._writes.enter(unit_entries, rows)
        if self._ledger is None:
            self._standing = None
        else:
            lines, pools = self._ledger
            if self._standing is not None:
                self._standing.move(movements, {line.id for line in lines if line.kind == "product"})
            self._ledger = (lines, in_order(lines, apply(pools, movements)))

    @property
    def sold_ahead(self) -> Counter[str]:
        """Return by SKU how many more units that were sold ahead wait for stock than before, or less."""
        if self._found is None or self._ledger is None or self._found is self._ledger:
            return Counter()
        change = backordered(*self._ledger)
        change.subtract(backordered(*self._found))
        return change

    def post(self, *postings: Posting) -> None:
        """Enter *postings* into the ledger of money, two rows each."""
        if rows := posting_rows(self.order.id, self.seq, postings):
            self._books.forget(money_entries)
            self._writes.enter(money_entries, rows)
            if self._standing is not None:
                self._standing.post(rows)

    async def funds(self) -> OrderFunds:
        """Return the order's money: balances by account, payment and document, and what is pending."""
        return (await self.standing()).funds()

    async def next_number(self, table: Table) -> int:
        """Return one more than *table* has rows of this order. The order's row is locked, so no gap can come."""
        return 1 + (await self.read(_count_of(table), {"of_order": self.order.id})).scalar_one()

    async def request(self, event_id: str) -> JsonObject:
        """
        Return the body of the command that was journaled as *event_id*, decrypted.

        Raises:
            NotFound: this order's journal has no such command.
            KeyErased: the person has been erased.
        """
        query = select(intake.c.body, intake.c.key_id).where(
            intake.c.id == event_id, intake.c.order_id == self.order.id
        )
        row = (await self.read(query)).one_or_none()
        if row is None:
            raise NotFound(f"order {self.order.id} has no request {event_id}", request=event_id)
        return cast("JsonObject", json.loads(await self.services.vault.open(row.key_id, row.body)))

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        """
        Undo what the block wrote, rows and buffered events alike, if it raises; the error goes on.

        A block that only gathers what is to be written costs no statement of its own.
        """
        writes, facts, books = self._writes.copy(), dict(self._facts), self._books.copy()
        events, order, ledger = len(self.buffer.events), dict(self.buffer.order), self._ledger
        savepoint = Savepoint()
        self._savepoints.append(savepoint)
        try:
            yield
        except BaseException:
            self._writes.restore(writes)
            await savepoint.undo()
            self._standing = None
            self._facts = facts
            self._books = books
            del self.buffer.events[events:]
            self.buffer.order = order
            self._ledger = ledger
            raise
        finally:
            self._savepoints.remove(savepoint)


@cache
def _count_of(table: Table) -> Select[int]:
    return select(func.count()).select_from(table).where(table.c.order_id == bindparam("of_order"))
