"""The shape in which every check returns what breaks its claim."""

from typing import Any

from sqlalchemy import ColumnElement, Select, String, Subquery, and_, cast, func, literal, null, select, union_all
from sqlalchemy.sql.selectable import FromClause

type Broken = Select[Any, Any, Any, Any]
"""A query for rows that break a claim: order or None, subject, expected, found."""


def broken(
    source: FromClause,
    *,
    order: ColumnElement[str] | None,
    subject: ColumnElement[str],
    expected: ColumnElement[int],
    found: ColumnElement[int],
) -> Broken:
    """Return the rows of *source* whose *found* is not what is *expected*, in a stable order."""
    order_id: ColumnElement[Any] = cast(null(), String) if order is None else order
    query = select(
        order_id.label("order_id"), subject.label("subject"), expected.label("expected"), found.label("found")
    )
    return query.select_from(source).where(expected != found).order_by("order_id", "subject")


def together(*queries: Broken) -> Broken:
    """Return the rows of all *queries*."""
    rows: Subquery = union_all(*(query.order_by(None) for query in queries)).subquery()
    columns = (rows.c.order_id, rows.c.subject, rows.c.expected, rows.c.found)
    return select(*columns).order_by(rows.c.order_id, rows.c.subject)


def total(amount: ColumnElement[int], *only: ColumnElement[bool]) -> ColumnElement[int]:
    """Return the sum of *amount* over the rows for which *only* holds; 0 over none."""
    added = func.sum(amount)
    return func.coalesce(added.filter(and_(*only)) if only else added, 0)


def named(*parts: ColumnElement[str] | str) -> ColumnElement[str]:
    """Return *parts* joined by spaces; a missing part is left out."""
    texts = [literal(part) if isinstance(part, str) else part for part in parts]
    return func.concat_ws(" ", *texts)
