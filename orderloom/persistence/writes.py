"""
Writing behind: what a transaction enters and changes is gathered and written by one statement for all tables.

A round trip costs more than a row. Each table's rows travel as one JSON parameter, so that the statement's text depends
on which columns are written and not on how many rows: few texts, prepared once a connection.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from typing import Any, cast

from sqlalchemy import (
    ClauseElement,
    Column,
    Executable,
    Integer,
    LargeBinary,
    Table,
    TextClause,
    bindparam,
    column,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.visitors import iterate

type Values = dict[str, Any]
"""Column to value."""

_DIALECT = postgresql.dialect()
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class _Shape:
    """What a part of the statement does: the same shape, the same text."""

    table: Table
    columns: tuple[str, ...]
    key: tuple[str, ...] = ()
    """Of rows that are changed; none: rows are entered."""
    exact: bool = True
    """Every row must be written; else rows that are there already, or that are not there to be changed, are left."""
    overwritten: tuple[str, ...] = ()
    """Columns that are set in a row that is there already, instead of entering it."""


@dataclass
class Writes:
    """Rows to enter and to change. A change of a row that is still to be written changes what is written."""

    _parts: dict[_Shape, list[Values]] = field(default_factory=dict[_Shape, list[Values]])
    _changed: dict[tuple[Any, ...], tuple[_Shape, Values]] = field(
        default_factory=dict[tuple[Any, ...], tuple[_Shape, Values]]
    )
    """Changes by table and key."""

    def touch(self, tables: Collection[str]) -> bool:
        """Return whether anything is to be written to one of *tables*."""
        return any(shape.table.name in tables for shape in self._parts)

    def copy(self) -> "Writes":
        """Return what is to be written now."""
        return Writes({shape: list(rows) for shape, rows in self._parts.items()}, dict(self._changed))

    def restore(self, copied: "Writes") -> None:
        """Have what was to be written when *copied* was made, and nothing else."""
        vars(self).update(vars(copied))

    def __bool__(self) -> bool:
        """Return whether anything is to be written."""
        return bool(self._parts)

    def enter(self, table: Table, rows: Iterable[Values], *, exact: bool = True) -> None:
        """Enter *rows* into *table*; unless *exact*, those whose key is there already are left out."""
        for row in rows:
            self._parts.setdefault(_Shape(table, tuple(row), exact=exact), []).append(dict(row))

    def enter_or_change(self, table: Table, row: Values, columns: Iterable[str]) -> None:
        """Enter *row* into *table*; if its primary key is there already, only *columns* are set in that row."""
        self._parts.setdefault(_Shape(table, tuple(row), overwritten=tuple(columns)), []).append(dict(row))

    def change(self, table: Table, key: Values, values: Values, *, exact: bool = True) -> None:
        """
        Set *values* in the row of *table* that has the values *key*; unless *exact* there may be none.

        Raises:
            RuntimeError: rows of the table are to be changed by other columns already. Of two changes of one row that
                are not told to be of one row, a statement would make one.
        """
        if other := next(
            (one.key for one in self._parts if one.table is table and one.key not in ((), tuple(key))), None
        ):
            raise RuntimeError(f"rows of {table.name} are changed by {other} and by {tuple(key)} in one statement")
        at = (table, *sorted(key.items()))
        shape, row = self._changed.get(at) or self._entered(table, key) or (None, key)
        if shape is None:
            shape = _Shape(table, (*key, *values), tuple(key), exact)
        else:
            self._take_out(shape, row)
            shape = replace(shape, columns=tuple({**row, **values}))
        row = {**row, **values}
        self._parts.setdefault(shape, []).append(row)
        if shape.key:
            self._changed[at] = (shape, row)

    def _entered(self, table: Table, key: Values) -> tuple[_Shape, Values] | None:
        return next(
            (
                (shape, row)
                for shape, rows in self._parts.items()
                if shape.table is table and not shape.key
                for row in rows
                if key.items() <= row.items()
            ),
            None,
        )

    def _take_out(self, shape: _Shape, row: Values) -> None:
        rows = self._parts[shape]
        rows.remove(row)
        if not rows:
            del self._parts[shape]

    async def write(self, conn: AsyncConnection) -> None:
        """
        Write everything in one statement, and begin anew.

        Raises:
            RuntimeError: a row that was to be changed is not there.
        """
        if not self._parts:
            return
        parts = self._parts
        self.restore(Writes())
        rows = {f"rows_{number}": _as_json(shape, rows) for number, (shape, rows) in enumerate(parts.items())}
        # Only keys are looked up: of rows that are entered no statement needs to know how many there are.
        shapes = tuple((shape, at_most(len(rows)) if shape.key else 0) for shape, rows in parts.items())
        counts = (await conn.execute(_statement(shapes), rows)).one()
        for shape, written, counted in zip(parts, parts.values(), counts, strict=True):
            if shape.exact and counted != len(written):
                raise RuntimeError(f"{counted} of {len(written)} rows of {shape.table.name} were written")


@lru_cache(maxsize=512)
def tables_in(query: Executable) -> frozenset[str]:
    """Return the names that *query* may mean tables by: no table that it reads is missing."""
    names: set[str] = set()
    for part in iterate(cast("ClauseElement", query)):
        if isinstance(part, Table):
            names.add(part.name)
        elif isinstance(part, TextClause):
            names.update(_WORD.findall(part.text))
    return frozenset(names)


@cache
def _binary(table: Table) -> frozenset[str]:
    return frozenset(column.name for column in table.columns if isinstance(column.type, LargeBinary))


def _as_json(shape: _Shape, rows: list[Values]) -> list[Values]:
    """Return *rows* as the statement takes them: PostgreSQL reads bytes from their hexadecimal form."""
    binary = _binary(shape.table).intersection(shape.columns)
    return [_hexed(row, binary) for row in rows] if binary else rows


def _hexed(row: Mapping[str, Any], binary: frozenset[str]) -> Values:
    return {name: f"\\x{value.hex()}" if name in binary and value is not None else value for name, value in row.items()}


def at_most(count: int) -> int:
    """
    Return the next power of ten, for ``LIMIT`` behind ``jsonb_to_recordset``.

    PostgreSQL takes that for a hundred rows, and would rather read a whole table than look a hundred keys up.
    """
    limit = 1
    while limit < count:
        limit *= 10
    return limit


@cache
def _statement(shapes: tuple[tuple[_Shape, int], ...]) -> Executable:
    """Return the statement that writes parts of these shapes and sizes, and answers how many rows each wrote."""
    parts = ", ".join(f"part_{number} AS ({_part(number, *shape)} RETURNING 1)" for number, shape in enumerate(shapes))
    counts = ", ".join(f"(SELECT COUNT(*)::int FROM part_{number})" for number in range(len(shapes)))  # noqa: S608
    names = [bindparam(f"rows_{number}", type_=JSONB) for number in range(len(shapes))]
    counted = [column(f"part_{number}", Integer) for number in range(len(shapes))]
    return text(f"WITH {parts} SELECT {counts}").bindparams(*names).columns(*counted)


def _part(number: int, shape: _Shape, limit: int) -> str:
    given = ", ".join(f"{_quoted(column)} {_type(column)}" for column in _columns(shape))
    source = f"jsonb_to_recordset(:rows_{number}) AS r({given})"
    table = shape.table.name
    if not shape.key:
        names = ", ".join(_quoted(column) for column in _columns(shape))
        clash = _overwrite(shape) if shape.exact else " ON CONFLICT DO NOTHING"
        return f"INSERT INTO {table} ({names}) SELECT {names} FROM {source}{clash}"  # noqa: S608
    changed = [column for column in _columns(shape) if column.name not in shape.key]
    sets = ", ".join(f"{_quoted(column)} = r.{_quoted(column)}" for column in changed)
    same = " AND ".join(f"t.{column} = r.{column}" for column in shape.key)
    few = f"(SELECT * FROM {source} LIMIT {limit}) r"  # noqa: S608
    return f"UPDATE {table} t SET {sets} FROM {few} WHERE {same}"  # noqa: S608


def _overwrite(shape: _Shape) -> str:
    if not shape.overwritten:
        return ""
    key = ", ".join(column.name for column in shape.table.primary_key)
    return f" ON CONFLICT ({key}) DO UPDATE SET " + ", ".join(f"{name} = EXCLUDED.{name}" for name in shape.overwritten)


def _columns(shape: _Shape) -> list[Column[Any]]:
    return [shape.table.c[name] for name in shape.columns]


def _quoted(column: Column[Any]) -> str:
    return f'"{column.name}"'


def _type(column: Column[Any]) -> str:
    return column.type.compile(dialect=_DIALECT)
