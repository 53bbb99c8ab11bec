"""Writing behind: one statement for all tables, and what it must not do."""

from typing import Any

import pytest
from sqlalchemy import event, select, text

from orderloom.persistence.tables.catalog import products
from orderloom.persistence.tables.inventory import location_groups, locations, stock
from orderloom.persistence.writes import Writes, at_most, tables_in


@pytest.fixture
def writes() -> Writes:
    """Return an empty one."""
    return Writes()


def place(id: str, **more: Any) -> dict[str, Any]:
    """Return a row of ``locations``."""
    return {"id": id, "name": id, "country": "GB", **more}


async def _names(engine) -> dict[str, str]:
    async with engine.connect() as conn:
        rows = await conn.execute(select(locations.c.id, locations.c.name).order_by(locations.c.id))
        return {row.id: row.name for row in rows}


async def test_all_tables_are_written_by_one_statement(engine, writes) -> None:
    """Rows entered into two tables and a row changed in a third go out together."""
    async with engine.begin() as conn:
        writes.enter(locations, [place("A")])
        await writes.write(conn)
    sent: list[str] = []
    event.listen(engine.sync_engine, "before_cursor_execute", lambda *told: sent.append(told[2]))

    writes.enter(locations, [place("B"), place("C")])
    writes.enter(location_groups, [{"id": "G"}])
    writes.change(locations, {"id": "A"}, {"name": "Aberdeen"})
    async with engine.begin() as conn:
        await writes.write(conn)

    assert len(sent) == 1
    assert await _names(engine) == {"A": "Aberdeen", "B": "B", "C": "C"}
    assert not writes


async def test_a_row_that_waits_is_changed_where_it_waits(engine, writes) -> None:
    """A change of a row that is not written yet, and a change of that change, are one row in the end."""
    writes.enter(locations, [place("A")])
    writes.change(locations, {"id": "A"}, {"name": "Aberdeen"})
    writes.change(locations, {"id": "A"}, {"name": "Ayr"})
    async with engine.begin() as conn:
        await writes.write(conn)

    assert await _names(engine) == {"A": "Ayr"}


async def test_a_change_of_what_is_not_there_is_a_mistake(engine, writes) -> None:
    """Nothing of the statement stays, unless the change was allowed to find nothing."""
    writes.enter(locations, [place("A")])
    writes.change(locations, {"id": "nowhere"}, {"name": "x"})
    with pytest.raises(RuntimeError, match="0 of 1 rows of locations"):
        async with engine.begin() as conn:
            await writes.write(conn)
    assert await _names(engine) == {}

    writes.change(locations, {"id": "nowhere"}, {"name": "x"}, exact=False)
    async with engine.begin() as conn:
        await writes.write(conn)
    assert await _names(engine) == {}


async def test_what_is_there_already_is_left_or_changed(engine, writes) -> None:
    """Entered once it stays as it was; entered or changed, only the named columns are set."""
    async with engine.begin() as conn:
        writes.enter(locations, [place("A", kind="store")])
        await writes.write(conn)
        writes.enter(locations, [place("A", kind="warehouse"), place("B")], exact=False)
        await writes.write(conn)
        writes.enter_or_change(locations, place("A", kind="dark") | {"name": "Ayr"}, ["name"])
        await writes.write(conn)
        kinds = (await conn.execute(select(locations.c.id, locations.c.kind).order_by(locations.c.id))).all()

    assert await _names(engine) == {"A": "Ayr", "B": "B"}
    assert [tuple(row) for row in kinds] == [("A", "store"), ("B", "warehouse")]


async def test_many_rows_are_all_changed(engine, writes) -> None:
    """The limit that PostgreSQL is told is never below the number of rows."""
    skus = [f"S{number}" for number in range(1_001)]
    async with engine.begin() as conn:
        writes.enter(products, [{"sku": sku, "name": ""} for sku in skus])
        await writes.write(conn)
        for sku in skus:
            writes.change(products, {"sku": sku}, {"name": sku.lower()})
        await writes.write(conn)
        named = (await conn.execute(select(products.c.name))).scalars()

        assert sorted(named) == sorted(sku.lower() for sku in skus)


@pytest.mark.parametrize(("count", "limit"), [(1, 1), (2, 10), (10, 10), (11, 100), (1_001, 10_000)])
def test_a_limit_is_a_power_of_ten(count: int, limit: int) -> None:
    """Few texts of a statement, and each planned for about as many rows as it gets."""
    assert at_most(count) == limit


async def test_rows_are_told_apart_by_the_same_columns(writes) -> None:
    """Two changes that name rows by different columns may mean one row, of which only one change would be made."""
    writes.change(locations, {"id": "A"}, {"name": "Aberdeen"})

    with pytest.raises(RuntimeError, match="changed by"):
        writes.change(locations, {"name": "A"}, {"country": "FR"})


async def test_only_a_query_about_what_waits_to_be_written_has_to_wait_for_it(writes) -> None:
    """Tables are found in a query's joins, subqueries and text."""
    writes.enter(locations, [place("A")])
    members = select(location_groups.c.id)

    assert writes.touch(tables_in(select(locations.c.id)))
    assert writes.touch(tables_in(members.where(select(locations.c.id).exists())))
    assert writes.touch(tables_in(members.join(locations, locations.c.id == location_groups.c.id)))
    assert writes.touch(
        tables_in(text("SELECT 1 FROM stock s JOIN locations l ON l.id = s.place").columns(stock.c.sku))
    )
    assert not writes.touch(tables_in(members))
    assert not writes.touch(tables_in(text("SELECT 1 FROM stock")))


async def test_what_is_restored_is_what_was_copied(engine, writes) -> None:
    """Rows that were entered or changed since are not written; those of before are, as they were."""
    writes.enter(locations, [place("A")])
    copied = writes.copy()
    writes.change(locations, {"id": "A"}, {"name": "Aberdeen"})
    writes.enter(locations, [place("B")])

    writes.restore(copied)

    async with engine.begin() as conn:
        await writes.write(conn)
    assert await _names(engine) == {"A": "A"}
