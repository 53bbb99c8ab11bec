"""Reads what has become of a case: one tree per order, in the words of the scenario format. Writes nothing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import Row, Select, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.exception_status import ACTIVE
from orderloom.domain.ids import fulfillment_order_id
from orderloom.domain.money import exponent
from orderloom.persistence.tables.fulfillment import fulfillment_order_lines, fulfillment_orders
from orderloom.persistence.tables.inventory import reservations
from orderloom.persistence.tables.ledgers import money_entries
from orderloom.persistence.tables.operations import process_exceptions
from orderloom.persistence.tables.orders import change_order_lines, change_orders, journal, orders
from orderloom.persistence.tables.payments import credit_memos, invoices, payment_intents, payments
from orderloom.readmodels.order_documents import routing_attempts_of, routing_schedules_of
from orderloom.readmodels.order_facts import facts_of
from orderloom.scenarios.attempts import attempt_tree
from orderloom.scenarios.compare import Tree
from orderloom.scenarios.durations import since
from orderloom.scenarios.items import items_tree
from orderloom.scenarios.names import Namespace

GIVEN = "given"
"""The code of an intent that records what the channel had done before it placed the order."""


class Observer:
    """Observes one order at one moment."""

    def __init__(self, conn: AsyncConnection, order_id: str, currency: str, names: Namespace, start: datetime) -> None:
        self._conn = conn
        self._order = order_id
        self._digits = exponent(currency)
        self._names = names
        self._start = start

    async def tree(self) -> dict[str, Tree]:
        """Return all that an expectation may name of the order."""
        facts = await facts_of(self._conn, self._order)
        money = await self._money()
        journaled = await self._journal()
        intents = await self._intents()
        exceptions = await self._exceptions()
        return {
            **items_tree(facts, self.decimal),
            "fulfillments": await self._fulfillments(facts.pools),
            "invoices": await self._invoices(money),
            "credit_memos": await self._credit_memos(),
            "change_orders": await self._change_orders(),
            "payments": await self._payments(money, intents),
            **self._operations(intents),
            "excess": self.decimal(_excess(money, await self._unpaid(money), intents)),
            "routing_attempts": await self._attempts_made(),
            "attempts": await self._attempts(),
            "schedules": await self._schedules(),
            "exceptions": exceptions,
            "open_exceptions": sum(item["status"] in ACTIVE for item in exceptions if isinstance(item, dict)),
            "reservations": await self._reservations(),
            "journal": cast("Tree", dict(Counter(journaled))),
            "order_of": cast("Tree", list(dict.fromkeys(journaled))),
            "happened": cast("Tree", sorted({*journaled, *(row.operation for row in intents if row.code != GIVEN)})),
        }

    def decimal(self, minor: int) -> Decimal:
        """Return *minor* units as an author writes them."""
        return Decimal(minor).scaleb(-self._digits)

    async def _rows(self, query: Select[*tuple[Any, ...]]) -> Sequence[Row[*tuple[Any, ...]]]:
        return (await self._conn.execute(query)).all()

    async def _money(self) -> dict[tuple[str, str | None, str | None], int]:
        """Return the balance of each money account, by payment and document."""
        entry = money_entries.c
        by = (entry.account, entry.payment_id, entry.document_id)
        rows = await self._rows(select(*by, func.sum(entry.amount)).where(entry.order_id == self._order).group_by(*by))
        return {(row[0], row[1], row[2]): int(row[3]) for row in rows}

    async def _journal(self) -> list[str]:
        rows = await self._rows(select(journal.c.type).where(journal.c.order_id == self._order).order_by(journal.c.seq))
        return [row.type for row in rows]

    async def _intents(self) -> Sequence[Row[*tuple[Any, ...]]]:
        table = payment_intents.c
        columns = (table.payment_id, table.operation, table.amount, table.outcome, table.code)
        number = func.length(table.id)
        return await self._rows(select(*columns).where(table.order_id == self._order).order_by(number, table.id))

    def _operations(self, intents: Sequence[Row[*tuple[Any, ...]]]) -> dict[str, Tree]:
        """Return the amounts of what the gateway did for us, by operation."""
        done = {"authorize": "authorizations", "capture": "captures", "refund": "refunds", "reverse": "reversals"}
        return {
            name: [
                self.decimal(row.amount)
                for row in intents
                if row.operation == operation and row.outcome == "succeeded" and row.code != GIVEN
            ]
            for operation, name in done.items()
        }

    async def _fulfillments(self, pools: Sequence[Any]) -> list[Tree]:
        table = fulfillment_orders.c
        columns = (table.id, table.location_id, table.status, table.kind, table.delivery_group_id, table.hold_reason)
        query = select(*columns).where(table.order_id == self._order)
        asked = await self._asked()
        found: list[Tree] = []
        for row in await self._rows(query.order_by(table.number)):
            held = [pool for pool in pools if pool.account.fulfillment_order == row.id and pool.quantity]
            lines: Counter[str] = Counter()
            for pool in held:
                lines[pool.line_id] += pool.quantity
            found.append(
                {
                    "location": None if row.location_id is None else self._names.outside(row.location_id),
                    "kind": row.kind,
                    "delivery_group": row.delivery_group_id,
                    "status": row.status,
                    "lines": cast("Tree", {line: quantity for line, quantity in lines.items() if quantity}),
                    "original": cast("Tree", {line: original for line, original, *_ in asked.get(row.id, [])}),
                    "rejected": cast("Tree", {line: turned for line, _, turned, _ in asked.get(row.id, []) if turned}),
                    "reasons": cast("Tree", {line: why for line, *_, why in asked.get(row.id, []) if why}),
                    "held": row.hold_reason is not None,
                    "total": self.decimal(sum(pool.amount + pool.tax for pool in held)),
                }
            )
        return found

    async def _asked(self) -> dict[str, list[tuple[str, int, int, str | None]]]:
        """Return line, original and rejected quantity, and the reason, of each fulfillment order."""
        line, head = fulfillment_order_lines.c, fulfillment_orders.c
        quantities = (line.original_quantity, line.rejected_quantity)
        query = (
            select(line.fulfillment_order_id, line.line_id, *quantities, line.reject_reason)
            .join(fulfillment_orders, head.id == line.fulfillment_order_id)
            .where(head.order_id == self._order)
        )
        found: dict[str, list[tuple[str, int, int, str | None]]] = {}
        for id, *asked in await self._rows(query):
            found.setdefault(id, []).append((asked[0], asked[1], asked[2], asked[3]))
        return found

    async def _invoice_rows(self) -> Sequence[Row[*tuple[Any, ...]]]:
        table = invoices.c
        columns = (table.id, table.fulfillment_order_id, (table.amount + table.tax).label("total"))
        return await self._rows(select(*columns).where(table.order_id == self._order).order_by(table.number))

    async def _invoices(self, money: Mapping[tuple[str, str | None, str | None], int]) -> list[Tree]:
        found: list[Tree] = []
        for row in await self._invoice_rows():
            number = next(
                n for n in range(1, 10_000) if fulfillment_order_id(self._order, n) == row.fulfillment_order_id
            )
            balance = row.total - _sum(money, "applied", document=row.id)
            found.append({"fulfillment": number, "total": self.decimal(row.total), "balance": self.decimal(balance)})
        return found

    async def _unpaid(self, money: Mapping[tuple[str, str | None, str | None], int]) -> int:
        return sum(row.total - _sum(money, "applied", document=row.id) for row in await self._invoice_rows())

    async def _credit_memos(self) -> list[Tree]:
        table = credit_memos.c
        query = select((table.amount + table.tax).label("total")).where(table.order_id == self._order)
        return [{"total": self.decimal(row.total)} for row in await self._rows(query.order_by(table.number))]

    async def _change_orders(self) -> list[Tree]:
        head, line = change_orders.c, change_order_lines.c
        total = func.sum(line.amount + line.tax).label("total")
        query = (
            select(head.kind, head.before_fulfillment, total)
            .join(change_order_lines, line.change_order_id == head.id)
            .where(head.order_id == self._order)
            .group_by(head.id, head.kind, head.before_fulfillment, head.seq)
            .order_by(head.seq, head.id)
        )
        return [
            {"kind": row.kind, "before_fulfillment": row.before_fulfillment, "total": self.decimal(int(row.total))}
            for row in await self._rows(query)
        ]

    async def _payments(
        self, money: Mapping[tuple[str, str | None, str | None], int], intents: Sequence[Row[*tuple[Any, ...]]]
    ) -> list[Tree]:
        table = payments.c
        query = select(table.id, table.method).where(table.order_id == self._order).order_by(table.position)
        found: list[Tree] = []
        for row in await self._rows(query):
            left = _sum(money, "authorised", payment=row.id)
            refunded = _sum(money, "refunded", payment=row.id)
            held = _sum(money, "captured", payment=row.id) + _sum(money, "applied", payment=row.id)
            pending = {"capture": 0, "refund": 0, "reverse": 0, "authorize": 0}
            for intent in intents:
                if intent.payment_id == row.id and intent.outcome in {"requested", "unknown"}:
                    pending[intent.operation] += intent.amount
            reversed_ = sum(
                intent.amount
                for intent in intents
                if intent.payment_id == row.id and intent.operation == "reverse" and intent.outcome == "succeeded"
            )
            found.append(
                {
                    "method": row.method,
                    "authorized": self.decimal(left),
                    "captured": self.decimal(held + refunded),
                    "refunded": self.decimal(refunded),
                    "reversed": self.decimal(reversed_),
                    "available_to_capture": self.decimal(max(0, left - pending["capture"] - pending["reverse"])),
                    "available_to_refund": self.decimal(max(0, held + pending["capture"] - pending["refund"])),
                }
            )
        return found

    async def _attempts_made(self) -> int:
        rows = await self._rows(select(orders.c.routing_attempts).where(orders.c.id == self._order))
        return int(rows[0].routing_attempts)

    async def _attempts(self) -> list[Tree]:
        attempts = await routing_attempts_of(self._conn, self._order)
        return [attempt_tree(attempt, self._names, self._start) for attempt in attempts]

    async def _schedules(self) -> list[Tree]:
        return [
            {
                "status": schedule.status,
                "reason": schedule.reason,
                "after": since(self._start, schedule.scheduled_at),
            }
            for schedule in await routing_schedules_of(self._conn, self._order)
        ]

    async def _exceptions(self) -> list[Tree]:
        table = process_exceptions.c
        names = ("category", "code", "severity", "priority", "status", "owner", "overdue")
        late = table.escalated_at.is_not(None)
        columns = (table.category, table.code, table.severity, table.priority, table.status, table.owner, late)
        rows = await self._rows(select(*columns).where(table.order_id == self._order).order_by(table.number))
        return [dict(zip(names, row, strict=True)) for row in rows]

    async def _reservations(self) -> Tree:
        table = reservations.c
        place = case((table.location_id.is_(None), table.group_id), else_=table.location_id)
        query = (
            select(place.label("place"), func.sum(table.quantity).label("units"))
            .where(table.order_id == self._order, table.status == "active")
            .group_by(place)
        )
        return {self._names.outside(row.place): int(row.units) for row in await self._rows(query)}


def _sum(
    money: Mapping[tuple[str, str | None, str | None], int],
    account: str,
    *,
    payment: str | None = None,
    document: str | None = None,
) -> int:
    """Return the balance of *account*, of one payment or one document where given."""
    return sum(
        amount
        for (name, of_payment, of_document), amount in money.items()
        if name == account and payment in {None, of_payment} and document in {None, of_document}
    )


def _excess(
    money: Mapping[tuple[str, str | None, str | None], int], unpaid: int, intents: Sequence[Row[*tuple[Any, ...]]]
) -> int:
    """Return what is captured beyond what is owed, less refunds of it that are under way."""
    pending = sum(
        row.amount for row in intents if row.operation == "refund" and row.outcome in {"requested", "unknown"}
    )
    return max(0, _sum(money, "captured") - _sum(money, "ordered") - unpaid - pending)
