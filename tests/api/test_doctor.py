"""The doctor finds every way in which the books can be wrong, and names it."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.bootstrap.database import create_engine
from orderloom.bootstrap.embedded_postgres import EmbeddedPostgres
from orderloom.readmodels.doctor import CHECKS, ON_ITS_WAY, Finding, Findings, examine
from orderloom.readmodels.snapshot import snapshot
from tests.api.books import ALLOCATED, CANCELLED, RESERVED, SHIPPED, write_books
from tests.api.conftest import NOW, seed


@pytest.fixture(scope="module")
async def books(postgres: EmbeddedPostgres, database_template: str) -> AsyncIterator[AsyncEngine]:
    """Return an engine on a database with balanced books, which every test leaves as it was."""
    engine = create_engine(await postgres.ensure_database("doctor", template=database_template))
    await seed(engine)
    await write_books(engine)
    yield engine
    await engine.dispose()
    await postgres.drop_database("doctor")


async def examined(engine: AsyncEngine, *statements: str, since: datetime | None = None) -> Findings:
    """Return what the doctor finds after *statements*, which are undone again."""
    async with engine.connect() as conn:
        for statement in statements:
            await conn.execute(text(statement))
        found = await examine(conn, since=since)
        await conn.rollback()
    return found


async def test_nothing_is_found_in_an_empty_database(engine: AsyncEngine) -> None:
    """An empty database is balanced; the doctor needs no right to write."""
    async with snapshot(engine) as conn:
        found = await examine(conn)

    assert found.findings == ()
    assert found.balanced


async def test_nothing_is_found_in_balanced_books(books: AsyncEngine) -> None:
    """Books of orders in several states are balanced, and every check was made."""
    found = await examined(books)

    assert found.findings == ()
    assert found.balanced
    assert found.checks == tuple(check.name for check in CHECKS)


def finding(check: str, order: str | None, subject: str, expected: int, found: int) -> Finding:
    """Return a finding."""
    return Finding(check=check, order=order, subject=subject, expected=expected, found=found)


_DROP = (
    "ALTER TABLE stock DROP CONSTRAINT ck_stock_not_negative; "
    "ALTER TABLE group_stock DROP CONSTRAINT ck_group_stock_not_negative; "
)

_REQUEST = (
    "INSERT INTO reservation_requests (id, owner, reference, promise, status, created_at) "
    "VALUES ('R1', 'cart', 'c-1', 'atf', '{status}', now()); "
    "INSERT INTO reservations (request_id, sku, group_id, quantity, status, created_at) "
    "VALUES ('R1', 'MUG-BLUE', 'EU', 2, 'active', now()); "
)

CORRUPTIONS = [
    pytest.param(
        "UPDATE stock SET on_hand = on_hand + 1 WHERE location_id = 'PAR'; "
        "UPDATE group_stock SET on_hand = on_hand + 1",
        [finding("stock.changes", None, "MUG-BLUE at PAR changes", 5, 6)],
        id="a unit on hand that nobody brought",
    ),
    pytest.param(
        f"UPDATE unit_entries SET quantity = quantity + 1 WHERE order_id = '{ALLOCATED}' AND state = 'allocated'",
        [
            finding("units.balance", ALLOCATED, "line 1 quantity", 0, 1),
            finding("reservations.demand", ALLOCATED, "line 1 at location PAR", 4, 3),
        ],
        id="a unit too many",
    ),
    pytest.param(
        f"UPDATE unit_entries SET tax = tax + 5 WHERE order_id = '{RESERVED}' AND state = 'reserved'",
        [
            finding("units.balance", RESERVED, "line 1 tax", 0, 5),
            finding("money.units", RESERVED, "account customer", 2755, 2750),
        ],
        id="tax out of nowhere",
    ),
    pytest.param(
        "INSERT INTO unit_entries (order_id, seq, line_id, state, place, quantity, amount, tax) VALUES "
        f"('{CANCELLED}', 2, '1', 'open', '', -1, 0, 0), ('{CANCELLED}', 2, '1', 'cancelled', '', 1, 0, 0)",
        [finding("units.negative", CANCELLED, "line 1 open", 0, -1)],
        id="a state below zero",
    ),
    pytest.param(
        f"UPDATE order_lines SET quantity = 5 WHERE order_id = '{SHIPPED}'",
        [finding("units.placed", SHIPPED, "line 1 quantity", 5, 2)],
        id="the original order was changed",
    ),
    pytest.param(
        f"DELETE FROM journal WHERE order_id = '{SHIPPED}' AND seq = 4",
        [finding("journal.gaps", SHIPPED, "journal", 9, 8)],
        id="a gap in the journal",
    ),
    pytest.param(
        f"UPDATE money_entries SET amount = amount + 7 WHERE order_id = '{ALLOCATED}' AND account = 'ordered'",
        [finding("money.balance", ALLOCATED, "postings", 0, 7)],
        id="money out of nowhere",
    ),
    pytest.param(
        "INSERT INTO money_entries (order_id, seq, account, payment_id, amount) VALUES "
        f"('{RESERVED}', 2, 'authorised', '{RESERVED}-P1', -5000), "
        f"('{RESERVED}', 2, 'gateway', '{RESERVED}-P1', 5000)",
        [finding("money.negative", RESERVED, f"account authorised {RESERVED}-P1", 0, -2250)],
        id="more reversed than authorised",
    ),
    pytest.param(
        f"UPDATE invoices SET amount = 4600 WHERE order_id = '{SHIPPED}'",
        [
            finding("invoices.lines", SHIPPED, f"invoice {SHIPPED}-I1 amount", 4500, 4600),
            finding("invoices.ledger", SHIPPED, f"invoice {SHIPPED}-I1", 5050, 4950),
        ],
        id="an invoice unlike its lines",
    ),
    pytest.param(
        f"UPDATE credit_memo_lines SET tax = 224 WHERE credit_memo_id = '{SHIPPED}-M1'",
        [finding("credit_memos.lines", SHIPPED, f"credit memo {SHIPPED}-M1 tax", 224, 225)],
        id="a credit memo unlike its lines",
    ),
    pytest.param(
        f"UPDATE credit_memos SET tax = 230 WHERE id = '{SHIPPED}-M1'; "
        f"UPDATE credit_memo_lines SET tax = 230 WHERE credit_memo_id = '{SHIPPED}-M1'",
        [finding("credit_memos.ledger", SHIPPED, f"credit memo {SHIPPED}-M1", 2480, 2475)],
        id="a credit memo unlike the ledger",
    ),
    pytest.param(
        "INSERT INTO payment_intents (id, order_id, payment_id, operation, amount, document_id, action_key, outcome, "
        f"created_at) VALUES ('{SHIPPED}-T3', '{SHIPPED}', '{SHIPPED}-P1', 'capture', 4950, '{SHIPPED}-I1', 'again', "
        "'succeeded', now())",
        [finding("payments.captured", SHIPPED, f"payment {SHIPPED}-P1 capture", 9900, 4950)],
        id="captured twice",
    ),
    pytest.param(
        f"DELETE FROM payment_intents WHERE id = '{SHIPPED}-T2'",
        [finding("payments.refunded", SHIPPED, f"payment {SHIPPED}-P1 refund", 0, 2475)],
        id="refunded without an intent",
    ),
    pytest.param(
        f"UPDATE reservations SET quantity = 2 WHERE order_id = '{RESERVED}'; "
        "UPDATE group_stock SET reserved = reserved + 1",
        [finding("reservations.demand", RESERVED, "line 1 at group EU", 1, 2)],
        id="more reserved than ordered",
    ),
    pytest.param(
        f"UPDATE reservations SET status = 'released' WHERE order_id = '{ALLOCATED}' AND status = 'active'; "
        "UPDATE stock SET reserved = 0; UPDATE group_stock SET reserved = 1",
        [finding("reservations.demand", ALLOCATED, "line 1 at location PAR", 3, 0)],
        id="allocated without a reservation",
    ),
    pytest.param(
        f"UPDATE reservations SET status = 'active' WHERE order_id = '{SHIPPED}'; "
        "UPDATE stock SET reserved = reserved + 2 WHERE location_id = 'BER'; "
        "UPDATE group_stock SET reserved = reserved + 2",
        [
            finding("reservations.demand", SHIPPED, "line 1 at location BER", 0, 2),
            finding("reservations.leftover", SHIPPED, "reservations", 0, 2),
        ],
        id="a leftover of a shipped order",
    ),
    pytest.param(
        "UPDATE stock SET reserved = 1 WHERE location_id = 'BER'; UPDATE group_stock SET reserved = reserved + 1",
        [finding("stock.reserved", None, "MUG-BLUE at BER", 0, 1)],
        id="reserved for nobody",
    ),
    pytest.param(
        _DROP + "UPDATE stock SET on_hand = -1 WHERE location_id = 'BER'; "
        "UPDATE group_stock SET on_hand = 4 WHERE group_id = 'EU'",
        [
            finding("stock.negative", None, "MUG-BLUE at BER on_hand", 0, -1),
            finding("stock.changes", None, "MUG-BLUE at BER changes", 10, -1),
        ],
        id="stock below zero",
    ),
    pytest.param(
        "UPDATE group_stock SET on_hand = 16, reserved = 5",
        [
            finding("groups.members", None, "MUG-BLUE at EU on_hand", 15, 16),
            finding("groups.members", None, "MUG-BLUE at EU reserved", 4, 5),
        ],
        id="a group unlike its members",
    ),
    pytest.param(
        "DELETE FROM group_stock",
        [
            finding("groups.members", None, "MUG-BLUE at EU on_hand", 15, 0),
            finding("groups.members", None, "MUG-BLUE at EU reserved", 3, 0),
            finding("groups.members", None, "MUG-BLUE at EU safety", 1, 0),
        ],
        id="a group that lost its row",
    ),
    pytest.param(
        "UPDATE stock SET future = 5 WHERE location_id = 'BER'; UPDATE group_stock SET future = 5",
        [finding("stock.future", None, "MUG-BLUE at BER future", 0, 5)],
        id="stock to come that nobody sends",
    ),
    pytest.param(
        _REQUEST.format(status="released") + "UPDATE group_stock SET reserved = reserved + 2",
        [finding("reservations.requests", None, "reservation R1 released", 0, 2)],
        id="released and still held",
    ),
    pytest.param(
        _REQUEST.format(status="active") + "UPDATE reservations SET status = 'released' WHERE request_id = 'R1'",
        [finding("reservations.requests", None, "reservation R1 active", 1, 0)],
        id="active and nothing held",
    ),
    pytest.param(
        "INSERT INTO backorders (channel_id, sku, quantity) VALUES ('web', 'MUG-BLUE', 2)",
        [finding("backorders.lines", None, "MUG-BLUE in web sold ahead", 0, 2)],
        id="counted as sold ahead and sold by no line",
    ),
    pytest.param(
        f"UPDATE order_lines SET sold_ahead = 1 WHERE order_id = '{RESERVED}'; "
        "INSERT INTO backorders (channel_id, sku, quantity) SELECT channel_id, 'MUG-BLUE', 7 FROM orders LIMIT 1",
        [finding("backorders.lines", None, "MUG-BLUE in web sold ahead", 0, 7)],
        id="counted after its line has got its stock",
    ),
    pytest.param(
        f"DELETE FROM stock_changes WHERE cause = '{SHIPPED}-F1'",
        [
            finding("stock.changes", None, "MUG-BLUE at BER changes", 12, 10),
            finding("stock.shipped", SHIPPED, f"shipment {SHIPPED}-F1 MUG-BLUE from BER", 2, 0),
        ],
        id="shipped and still counted",
    ),
    pytest.param(
        "INSERT INTO stock_changes (location_id, sku, quantity, cause, at) "
        f"VALUES ('PAR', 'MUG-BLUE', -1, '{ALLOCATED}-F1', now())",
        [
            finding("stock.changes", None, "MUG-BLUE at PAR changes", 4, 5),
            finding("stock.shipped", ALLOCATED, f"shipment {ALLOCATED}-F1 MUG-BLUE from PAR", 0, 1),
        ],
        id="taken off and not shipped",
    ),
    pytest.param(
        f"UPDATE fulfillment_orders SET status = 'cancelled' WHERE id = '{ALLOCATED}-F1'",
        [finding("capacity.assigned", None, "PAR on 2026-03-01 assigned", 0, 1)],
        id="capacity that leaked",
    ),
    pytest.param(
        "DELETE FROM location_capacity",
        [finding("capacity.assigned", None, "PAR on 2026-03-01 assigned", 1, 0)],
        id="work that nobody counted",
    ),
    pytest.param(
        "UPDATE location_capacity SET held = held + 2",
        [finding("capacity.held", None, "PAR on 2026-03-01 held", 0, 2)],
        id="capacity that is held for nobody",
    ),
    pytest.param(
        f"UPDATE routing_schedules SET ended_at = NULL WHERE order_id = '{RESERVED}'; "
        f"UPDATE routing_schedules SET ended_at = now() WHERE order_id = '{RESERVED}' AND number = 2",
        [
            finding("schedules.ended", RESERVED, "schedule 1 completed", 1, 0),
            finding("schedules.ended", RESERVED, "schedule 2 scheduled", 0, 1),
        ],
        id="an end that is none",
    ),
    pytest.param(
        f"UPDATE routing_schedules SET status = 'scheduled', ended_at = NULL WHERE order_id = '{RESERVED}'",
        [finding("schedules.one", RESERVED, "more than one schedule", 1, 2)],
        id="routed twice",
    ),
    pytest.param(
        f"UPDATE flow_instances SET status = 'completed' WHERE order_id = '{RESERVED}'",
        [finding("schedules.awaited", RESERVED, "schedule to come", 0, 1)],
        id="a schedule that nobody takes",
    ),
    pytest.param(
        f"UPDATE orders SET routing_attempts = 3 WHERE id = '{RESERVED}'",
        [finding("routing.attempts", RESERVED, "routing attempts", 1, 3)],
        id="attempts that were not made",
    ),
]


@pytest.mark.parametrize(("corruption", "expected"), CORRUPTIONS)
async def test_corruption_is_found_and_named(books: AsyncEngine, corruption: str, expected: list[Finding]) -> None:
    """Each corruption is found by the check that is made for it, and nothing else is found."""
    found = await examined(books, *filter(str.strip, corruption.split(";")))

    assert list(found.findings) == expected
    assert not found.balanced


def test_every_check_has_a_corruption() -> None:
    """No check is without a corruption that proves it."""
    proven = {finding.check for case in CORRUPTIONS for finding in case.values[1]}  # type: ignore[union-attr]

    assert proven == {check.name for check in CHECKS}


ON_THE_WAY = (
    "UPDATE stock SET on_hand = on_hand + 2 WHERE location_id = 'BER'",
    "UPDATE group_stock SET on_hand = on_hand + 2",
    f"UPDATE reservations SET status = 'active' WHERE order_id = '{SHIPPED}'",
    "UPDATE stock SET reserved = reserved + 2 WHERE location_id = 'BER'",
    "UPDATE group_stock SET reserved = reserved + 2",
    f"DELETE FROM stock_changes WHERE cause = '{SHIPPED}-F1'",
    f"UPDATE unit_entries SET quantity = 0, amount = 0, tax = 0 WHERE order_id = '{SHIPPED}' AND state = 'returned'",
    f"DELETE FROM unit_entries WHERE order_id = '{SHIPPED}' AND state = 'fulfilled' AND quantity < 0",
    "INSERT INTO flow_instances (order_id, instance, flow, seq, status) "
    f"VALUES ('{SHIPPED}', 'e@f', 'f', 9, 'faulted')",
)
"""Two mugs are reported shipped, and the flow that takes them off the stock has not come so far."""


@pytest.mark.parametrize("flow", ["none", "faulted"])
async def test_a_shipment_on_its_way_is_no_finding_and_a_stuck_one_is(books: AsyncEngine, flow: str) -> None:
    """For fifteen minutes after its report it may stand in stock and reservation; then it is found, busy or not."""
    told = ON_THE_WAY if flow == "faulted" else ON_THE_WAY[:-1]
    shipped = f"UPDATE fulfillment_orders SET closed_at = '{NOW.isoformat()}' WHERE id = '{SHIPPED}-F1'"

    on_time = await examined(books, *told, shipped, since=NOW)
    late = await examined(books, *told, shipped, since=NOW + timedelta(microseconds=1))

    assert on_time.findings == ()
    stuck = [
        finding("reservations.demand", SHIPPED, "line 1 at location BER", 0, 2),
        finding("reservations.leftover", SHIPPED, "reservations", 0, 2),
        finding("stock.shipped", SHIPPED, f"shipment {SHIPPED}-F1 MUG-BLUE from BER", 2, 0),
    ]
    assert list(late.findings) == ([stuck[0], stuck[2]] if flow == "faulted" else stuck)


def test_a_shipment_is_on_its_way_for_fifteen_minutes() -> None:
    """What the documents say."""
    assert timedelta(minutes=15) == ON_ITS_WAY
