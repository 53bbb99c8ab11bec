"""Checks of the unit ledger and the journal."""

from sqlalchemy import and_, case, func, literal, select

from orderloom.domain.units import UnitState
from orderloom.persistence.tables.ledgers import unit_entries
from orderloom.persistence.tables.orders import journal, order_lines, orders
from orderloom.readmodels.doctor.rows import Broken, broken, named, together, total

_entries = unit_entries.c


def units_unbalanced() -> Broken:
    """Find lines whose entries do not add up to zero, per measure."""
    sums = (
        select(
            _entries.order_id,
            _entries.line_id,
            func.sum(_entries.quantity).label("quantity"),
            func.sum(_entries.amount).label("amount"),
            func.sum(_entries.tax).label("tax"),
        )
        .group_by(_entries.order_id, _entries.line_id)
        .subquery()
    )
    return together(
        *(
            broken(
                sums,
                order=sums.c.order_id,
                subject=named("line", sums.c.line_id, measure),
                expected=literal(0),
                found=sums.c[measure],
            )
            for measure in ("quantity", "amount", "tax")
        )
    )


def units_negative() -> Broken:
    """Find balances below zero outside the counter-account."""
    found = func.sum(_entries.quantity)
    account = (_entries.order_id, _entries.line_id, _entries.state, _entries.place, _entries.fulfillment_order_id)
    balances = (
        select(*account, found.label("quantity"))
        .where(_entries.state != UnitState.SOURCE)
        .group_by(*account)
        .having(found < 0)
        .subquery()
    )
    return broken(
        balances,
        order=balances.c.order_id,
        subject=named("line", balances.c.line_id, balances.c.state, func.nullif(balances.c.place, "")),
        expected=literal(0),
        found=balances.c.quantity,
    )


def units_not_as_placed() -> Broken:
    """Find lines whose counter-account does not hold what the line says."""
    line = order_lines.c
    placed = (
        select(
            line.order_id,
            line.id.label("line_id"),
            line.quantity.label("quantity"),
            (line.line_amount + line.adjustment).label("amount"),
            line.tax.label("tax"),
            total(-_entries.quantity).label("moved_quantity"),
            total(-_entries.amount).label("moved_amount"),
            total(-_entries.tax).label("moved_tax"),
        )
        .select_from(
            order_lines.outerjoin(
                unit_entries,
                and_(
                    _entries.order_id == line.order_id,
                    _entries.line_id == line.id,
                    _entries.state == UnitState.SOURCE,
                ),
            )
        )
        .group_by(line.order_id, line.id)
        .subquery()
    )
    return together(
        *(
            broken(
                placed,
                order=placed.c.order_id,
                subject=named("line", placed.c.line_id, measure),
                expected=placed.c[measure],
                found=placed.c[f"moved_{measure}"],
            )
            for measure in ("quantity", "amount", "tax")
        )
    )


def journal_gaps() -> Broken:
    """Find orders whose journal does not run from 1 to the order's number without a gap."""
    written = (
        select(
            orders.c.id,
            orders.c.seq,
            func.count(journal.c.seq).label("entries"),
            func.coalesce(func.max(journal.c.seq), 0).label("last"),
        )
        .select_from(orders.outerjoin(journal, journal.c.order_id == orders.c.id))
        .group_by(orders.c.id)
        .subquery()
    )
    found = case((written.c.entries == written.c.last, written.c.last), else_=written.c.entries)
    return broken(written, order=written.c.id, subject=named("journal"), expected=written.c.seq, found=found)
