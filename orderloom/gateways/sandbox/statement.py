"""What the sandbox gateway's books add up to, to be compared with ours."""

import sqlite3

from orderloom.domain.model import Frozen

_ROWS = """
SELECT h.reference, h.token, h.currency,
       CASE h.kind WHEN 'authorization' THEN h.amount ELSE 0 END,
       CASE h.kind WHEN 'capture' THEN h.amount ELSE 0 END
           + COALESCE(SUM(o.amount) FILTER (WHERE o.operation = 'capture'), 0),
       COALESCE(SUM(o.amount) FILTER (WHERE o.operation = 'refund'), 0),
       COALESCE(SUM(o.amount) FILTER (WHERE o.operation = 'reverse'), 0),
       COUNT(*) FILTER (WHERE o.operation = 'capture'),
       COUNT(*) FILTER (WHERE o.operation = 'refund')
FROM holdings h LEFT JOIN operations o ON o.root = h.root AND o.outcome = 'succeeded'
WHERE h.reference = h.root
GROUP BY h.reference
ORDER BY h.reference
"""


class StatementRow(Frozen):
    """One authorisation, or one capture that the channel made without one; amounts in minor units."""

    reference: str
    token: str
    currency: str
    authorised: int
    captured: int
    refunded: int
    reversed: int
    captures: int
    """How many captures were made of it, to show that none was doubled."""
    refunds: int


class StatementTotals(Frozen):
    """Sums over all rows of one currency, in minor units."""

    authorised: int = 0
    captured: int = 0
    refunded: int = 0
    reversed: int = 0


class Statement(Frozen):
    """The books as a whole."""

    totals: dict[str, StatementTotals]
    """By currency."""
    rows: list[StatementRow]


def read_statement(db: sqlite3.Connection) -> Statement:
    """Read the statement of now."""
    names = list(StatementRow.model_fields)
    rows = [StatementRow(**dict(zip(names, row, strict=True))) for row in db.execute(_ROWS)]
    totals = {currency: _total(rows, currency) for currency in sorted({row.currency for row in rows})}
    return Statement(totals=totals, rows=rows)


def _total(rows: list[StatementRow], currency: str) -> StatementTotals:
    own = [row for row in rows if row.currency == currency]
    return StatementTotals(
        authorised=sum(row.authorised for row in own),
        captured=sum(row.captured for row in own),
        refunded=sum(row.refunded for row in own),
        reversed=sum(row.reversed for row in own),
    )
