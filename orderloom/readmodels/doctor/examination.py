"""Runs all checks over one moment of the database and names what they found."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.model import Frozen
from orderloom.readmodels.doctor import ledgers, money, routing, stocks
from orderloom.readmodels.doctor.rows import Broken
from orderloom.readmodels.doctor.stocks import ON_ITS_WAY

MAX_FINDINGS = 100
"""Of one check; more of the same tell nothing new."""
PATIENT = "600s"
"""How long one check may take."""
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Check:
    """One claim about the data, and the query for the rows that break it."""

    name: str
    claim: str
    broken: Broken


class Finding(Frozen):
    """Something that is not as it must be."""

    check: str
    order: str | None
    subject: str
    """The line, payment, place or document it is about."""
    expected: int
    found: int


class Findings(Frozen):
    """What an examination found, and what it looked at."""

    checks: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def balanced(self) -> bool:
        """Return whether nothing at all was found."""
        return not self.findings


CHECKS = (
    Check(
        name="units.balance",
        claim="The movements of a line's units and their money add up to zero.",
        broken=ledgers.units_unbalanced(),
    ),
    Check(
        name="units.negative",
        claim="No state of a line holds less than no units.",
        broken=ledgers.units_negative(),
    ),
    Check(
        name="units.placed",
        claim="A line's units, amount and tax in the ledger are those that were ordered.",
        broken=ledgers.units_not_as_placed(),
    ),
    Check(
        name="journal.gaps",
        claim="The journal of an order has every number from 1 to the order's last.",
        broken=ledgers.journal_gaps(),
    ),
    Check(
        name="money.balance",
        claim="The postings of an order add up to zero.",
        broken=money.money_unbalanced(),
    ),
    Check(
        name="money.negative",
        claim="No account but the customer's and the gateway's is below zero.",
        broken=money.money_negative(),
    ),
    Check(
        name="money.units",
        claim="What the customer owes for is what the units that are not cancelled cost.",
        broken=money.money_and_units_differ(),
    ),
    Check(
        name="invoices.lines",
        claim="An invoice's amount and tax are the sum of its lines.",
        broken=money.invoices_unlike_lines(),
    ),
    Check(
        name="credit_memos.lines",
        claim="A credit memo's amount and tax are the sum of its lines.",
        broken=money.credit_memos_unlike_lines(),
    ),
    Check(
        name="invoices.ledger",
        claim="The money ledger holds every invoice at its total.",
        broken=money.invoices_unlike_ledger(),
    ),
    Check(
        name="credit_memos.ledger",
        claim="The money ledger holds every credit memo at its total.",
        broken=money.credit_memos_unlike_ledger(),
    ),
    Check(
        name="payments.captured",
        claim="What a payment has captured is what its capture intents succeeded with.",
        broken=money.captures_unlike_intents(),
    ),
    Check(
        name="payments.refunded",
        claim="What a payment has refunded is what its refund intents succeeded with.",
        broken=money.refunds_unlike_intents(),
    ),
    Check(
        name="reservations.demand",
        claim="Active reservations of a line at a place are its reserved and allocated units there.",
        broken=stocks.reservations_unlike_demand(),
    ),
    Check(
        name="reservations.leftover",
        claim="An order with nothing left to ship and no flow under way holds no reservation.",
        broken=stocks.reservations_left_over(),
    ),
    Check(
        name="stock.reserved",
        claim="A location's reserved stock is the sum of its active reservations.",
        broken=stocks.stock_unlike_reservations(),
    ),
    Check(
        name="stock.negative",
        claim="No counter of stock is below zero.",
        broken=stocks.stock_negative(),
    ),
    Check(
        name="groups.members",
        claim="A location group's stock is the sum of its members' and its own reservations.",
        broken=stocks.groups_unlike_members(),
    ),
    Check(
        name="stock.changes",
        claim="What is on hand at a location is the sum of the changes that are on record.",
        broken=stocks.stock_unlike_changes(),
    ),
    Check(
        name="stock.future",
        claim="A location's future stock is the sum of the receipts that are expected there.",
        broken=stocks.future_unlike_receipts(),
    ),
    Check(
        name="reservations.requests",
        claim="A reservation that belongs to no order holds something while it is active, and nothing afterwards.",
        broken=stocks.requests_unlike_reservations(),
    ),
    Check(
        name="backorders.lines",
        claim="What is counted as sold ahead is what lines were sold ahead and still wait for.",
        broken=stocks.backorders_unlike_lines(),
    ),
    Check(
        name="stock.shipped",
        claim="What a fulfillment order shipped left the stock of its location, by SKU.",
        broken=routing.shipments_unlike_stock(),
    ),
    Check(
        name="capacity.assigned",
        claim="A location's day counts the fulfillment orders that take its capacity, and no others.",
        broken=routing.capacity_unlike_work(),
    ),
    Check(
        name="capacity.held",
        claim="A location's day is held for the fulfillment orders of open proposals, and no others.",
        broken=routing.capacity_unlike_proposals(),
    ),
    Check(
        name="schedules.ended",
        claim="A routing schedule has an end when it is completed or abandoned, and none before.",
        broken=routing.schedules_unended(),
    ),
    Check(
        name="schedules.one",
        claim="An order has one routing schedule to come at most.",
        broken=routing.schedules_doubled(),
    ),
    Check(
        name="schedules.awaited",
        claim="A routing schedule to come has a flow under way that takes it.",
        broken=routing.schedules_forgotten(),
    ),
    Check(
        name="routing.attempts",
        claim="An order counts the routing attempts that it has.",
        broken=routing.attempts_uncounted(),
    ),
)
"""Every check, by area."""


async def examine(conn: AsyncConnection, *, since: datetime | None = None) -> Findings:
    """
    Run all checks; at most a hundred findings of each. Use a connection of ``readmodels.snapshot``.

    Args:
        since: shipments that were reported then or later are on their way and need not have left the stock yet;
            None: none is. ``ON_ITS_WAY`` before now where orders are under way.
    """
    findings: list[Finding] = []
    for check in CHECKS:
        rows = await conn.execute(check.broken.limit(MAX_FINDINGS), {"since": since or NEVER})
        findings.extend(
            Finding(check=check.name, order=order, subject=subject, expected=int(expected), found=int(found))
            for order, subject, expected, found in rows
        )
    return Findings(checks=tuple(check.name for check in CHECKS), findings=tuple(findings))


async def examine_patiently(conn: AsyncConnection, now: datetime) -> Findings:
    """Run all checks where orders are under way, however long they take; *now* is business time."""
    await conn.execute(text(f"SET LOCAL statement_timeout = '{PATIENT}'"))
    return await examine(conn, since=now - ON_ITS_WAY)
