"""One order in PostgreSQL, its actions as transactions, and the books of a sandbox gateway."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, insert, select, update

from activities import changes, compensating, intents, invoicing, payments, phases, refunds, transaction
from activities.unit import OrderRow, Services, Unit
from orderloom.contracts.actions import ActionContract
from orderloom.contracts.messages import ActionDone, Context, RunAction, SettleAction
from orderloom.contracts.outside import GatewayOutcome, GatewayRequest
from orderloom.domain.funds import Account, OrderFunds, Posting
from orderloom.domain.model import Frozen, JsonObject
from orderloom.domain.units import Account as Place
from orderloom.domain.units import UnitState
from orderloom.gateways.sandbox.books import Books, Given, HoldingKind
from orderloom.persistence import tables
from orderloom.persistence.books import Books as OrderBooks
from orderloom.persistence.vault import DEPLOYMENT

from .rows import (
    NOW,
    ORDER,
    PIN,
    LineSpec,
    PaymentSpec,
    at,
    insert_fulfillment_order,
    insert_order,
    move_all,
    placed,
    reserve,
)

_FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "create-invoice": (invoicing.create_invoice,),
    "create-credit-memo": (invoicing.create_credit_memo,),
    "cancel-items": (changes.cancel_items,),
    "return-items": (changes.return_items,),
    "authorize-payment": (payments.prepare_authorization, payments.settle_authorization),
    "capture-payment": (payments.prepare_capture, payments.settle_capture),
    "ensure-funds": (payments.prepare_funds, payments.settle_funds),
    "ensure-refunds": (refunds.prepare_refunds, refunds.settle_refunds),
    "reverse-authorization": (payments.prepare_reversal, payments.settle_reversal),
    "void-invoice": (compensating.void_invoice,),
    "give-back-payment": (compensating.prepare_giving_back, compensating.settle_giving_back),
}


@dataclass
class Shop:
    """One order in one database. ``books`` are the gateway's."""

    services: Services
    books: Books
    _keys: int = 0
    asked: list[GatewayRequest] = field(default_factory=list)
    """Every request that was handed out to be performed."""

    async def place(self, lines: dict[str, LineSpec], *tenders: PaymentSpec, life_cycle: str = "managed") -> None:
        """Put an order with these lines and payments into the tables, as placing does."""
        async with self.services.engine.begin() as conn:
            await insert_order(conn, lines, life_cycle)
        async with self.unit("place") as unit:
            unit.journal("order.placed", {})
            await unit.move_units([placed(id, line) for id, line in lines.items()])
            total = sum(line.amount + line.tax for line in lines.values())
            unit.post(Posting(debit=Account.CUSTOMER, credit=Account.ORDERED, amount=total))
            for number, tender in enumerate(tenders, start=1):
                await self._pay(unit, number, tender)

    async def _pay(self, unit: Unit, number: int, tender: PaymentSpec) -> None:
        payment_id = f"{ORDER}-P{number}"
        reference = f"auth-{number}" if tender.authorised else None
        outside = tender.gateway == "sandbox"
        await (await unit.written()).execute(
            insert(tables.payments.payments).values(
                id=payment_id,
                order_id=ORDER,
                position=number,
                method=tender.method,
                gateway=tender.gateway,
                token=tender.token if outside and not tender.captured else None,
                authorization_ref=reference,
                amount=tender.amount,
            )
        )
        if tender.authorised:
            self._give(f"auth-{number}", HoldingKind.AUTHORIZATION, tender)
            intents.record_given_authorization(unit, payment_id, tender.amount)
        if tender.captured:
            self._give(f"cap-{number}", HoldingKind.CAPTURE, tender)
            intents.record_given_capture(unit, number, payment_id, f"cap-{number}", tender.amount)

    def _give(self, reference: str, kind: HoldingKind, tender: PaymentSpec) -> None:
        self.books.give(
            Given(reference=reference, kind=kind, token=tender.token, amount=tender.amount, currency="EUR", now=NOW)
        )

    async def allocate(self, fulfillment_order: str, units: dict[str, int], location: str = "A") -> None:
        """Put open units into a new fulfillment order, reserved at its location."""
        async with self.unit(f"allocate-{fulfillment_order}") as unit:
            await insert_fulfillment_order(unit, fulfillment_order, location, units)
            await move_all(
                unit, units, Place(state=UnitState.OPEN), at(UnitState.ALLOCATED, location, fulfillment_order)
            )
            for line_id, quantity in units.items():
                if line_id != "D":
                    await reserve(unit, line_id, quantity, location, fulfillment_order)

    async def ship(self, fulfillment_order: str, location: str = "A") -> None:
        """Let the location ship all units of a fulfillment order."""
        async with self.unit(f"ship-{fulfillment_order}") as unit:
            units = {
                pool.line_id: pool.quantity
                for pool in await unit.pools(UnitState.ALLOCATED)
                if pool.account.fulfillment_order == fulfillment_order
            }
            source = at(UnitState.ALLOCATED, location, fulfillment_order)
            await move_all(unit, units, source, at(UnitState.FULFILLED, location, fulfillment_order))
            await self._set_status(unit, fulfillment_order, "fulfilled")

    async def _set_status(self, unit: Unit, fulfillment_order: str, status: str) -> None:
        table = tables.fulfillment.fulfillment_orders
        await (await unit.written()).execute(update(table).where(table.c.id == fulfillment_order).values(status=status))

    async def request(self, body: JsonObject) -> str:
        """Put a command's body into intake, sealed; return its id."""
        self._keys += 1
        id = f"request-{self._keys}"
        sealed = await self.services.vault.seal(DEPLOYMENT, json.dumps(body).encode())
        async with self.services.engine.begin() as conn:
            await conn.execute(
                insert(tables.intake.intake).values(
                    id=id,
                    kind="command",
                    type="order.cancel.requested",
                    source="web",
                    body_hash=b"",
                    order_id=ORDER,
                    body=sealed,
                    key_id=DEPLOYMENT,
                    received_at=NOW,
                    status="accepted",
                    due_at=NOW,
                )
            )
        return id

    def unit(self, key: str) -> "_Opened":
        """Open a transaction on the order, by hand."""
        return _Opened(self.services, key)

    def action(self, command: Frozen, key: str | None = None) -> RunAction:
        """Return the message that runs an action, under a key of its own."""
        self._keys += 1
        return RunAction(
            context=Context(order_id=ORDER, now=NOW, known_flows=[], pin=PIN),
            key=key or f"key-{self._keys}",
            input=command.model_dump(mode="json"),
            cause="test",
        )

    async def run(self, contract: ActionContract[Any, Any], command: Frozen, key: str | None = None) -> JsonObject:
        """Run a local action and return its output."""
        (function,) = _FUNCTIONS[contract.name]
        return (await transaction.run(self.services, contract, function, self.action(command, key))).output

    async def prepare(self, contract: ActionContract[Any, Any], action: RunAction) -> ActionDone:
        """Run the first phase of an outside action."""
        done = await phases.prepare(self.services, contract, _FUNCTIONS[contract.name][0], action)
        self.asked += done.requests
        return done

    async def settle(
        self, contract: ActionContract[Any, Any], action: RunAction, outcomes: Sequence[GatewayOutcome]
    ) -> ActionDone:
        """Run the last phase of an outside action."""
        request = SettleAction(action=action, outcomes=list(outcomes))
        return await phases.settle(self.services, contract, _FUNCTIONS[contract.name][1], request)

    async def outside(self, contract: ActionContract[Any, Any], command: Frozen, key: str | None = None) -> JsonObject:
        """Run an outside action whole, asking the gateway's books in between."""
        action = self.action(command, key)
        done = await self.prepare(contract, action)
        if not done.requests:
            return done.output
        outcomes = [self.books.perform(request) for request in done.requests]
        settled = await self.settle(contract, action, outcomes)
        assert settled.requests == []
        return settled.output

    async def webhook(self, body: JsonObject) -> None:
        """Record a gateway's webhook, as ``record`` does."""
        self._keys += 1
        async with self.unit(f"webhook-{self._keys}") as unit:
            unit.journal("payment.updated", {})
            await intents.settle_from_webhook(unit, body)

    async def funds(self) -> OrderFunds:
        """Return the order's money."""
        async with self.unit("read") as unit:
            return await unit.funds()

    async def units(self) -> dict[tuple[str, str], int]:
        """Return quantities by line and state."""
        async with self.unit("read") as unit:
            found: dict[tuple[str, str], int] = {}
            for pool in await unit.pools():
                key = pool.line_id, pool.account.state.value
                found[key] = found.get(key, 0) + pool.quantity
            return {key: quantity for key, quantity in found.items() if quantity}

    async def rows(self, table: Any, *columns: str) -> list[tuple[Any, ...]]:
        """Return columns of all rows of a table of the order's area, in a stable order."""
        selected = [table.c[name] for name in columns]
        async with self.services.engine.connect() as conn:
            return [tuple(row) for row in await conn.execute(select(*selected).order_by(*table.primary_key))]

    async def count(self, table: Any) -> int:
        """Return how many rows a table has."""
        async with self.services.engine.connect() as conn:
            return (await conn.scalar(select(func.count()).select_from(table))) or 0

    async def journal(self, *prefixes: str) -> list[str]:
        """Return the types of the journal's events that begin with one of *prefixes*, in sequence."""
        rows = await self.rows(tables.orders.journal, "type")
        return [type for (type,) in rows if type.startswith(prefixes)]


class _Opened:
    """A transaction on the order that closes like an action's, without idempotency."""

    def __init__(self, services: Services, key: str) -> None:
        self._services = services
        self._key = key

    async def __aenter__(self) -> Unit:
        self._begun = self._services.engine.begin()
        conn = await self._begun.__aenter__()
        table = tables.orders.orders
        row = (await conn.execute(select(table).where(table.c.id == ORDER).with_for_update())).one()
        known = {name: value for name, value in row._mapping.items() if name in OrderRow.model_fields}
        order = OrderRow.model_validate(known)
        self._unit = Unit(self._services, conn, order, now=NOW, cause="test", key=self._key, books=OrderBooks({}))
        return self._unit

    async def __aexit__(self, *error: object) -> None:
        unit = self._unit
        if error[0] is None:
            for event, cause in unit.buffer.events:
                values = event.model_dump() | {"order_id": ORDER, "cause": cause}
                await (await unit.written()).execute(insert(tables.orders.journal).values(**values))
            table = tables.orders.orders
            seq = unit.order.seq + len(unit.buffer.events)
            await (await unit.written()).execute(update(table).where(table.c.id == ORDER).values(seq=seq))
        await self._begun.__aexit__(*error)
