"""The example day of the Online Retail data, imported into the running system."""

from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from flows_dsl import prebuilt
from flows_dsl.release import pack
from orderloom.importing.mapping import load_mapping
from orderloom.importing.run import Importer, Outcome
from orderloom.importing.survey import Selection, survey
from orderloom.importing.warehouse import set_up
from orderloom.persistence.flows import publish
from orderloom.persistence.tables.fulfillment import fulfillment_orders
from orderloom.persistence.tables.inventory import stock
from orderloom.persistence.tables.ledgers import unit_entries
from orderloom.persistence.tables.operations import process_exceptions
from orderloom.persistence.tables.orders import change_orders, journal, orders
from orderloom.readmodels.doctor import examine
from orderloom.readmodels.snapshot import snapshot
from orderloom.stack import Stack

DAY = Path(__file__).parents[2] / "examples" / "online-retail" / "2011-07-01.csv"
MAPPING = load_mapping("online-retail")


async def imported(stack: Stack, path: Path, data: Path) -> Outcome:
    selection = Selection(path=path)
    surveyed = survey(selection, MAPPING)
    assert surveyed.starts_at is not None
    async with stack.engine.begin() as conn:
        pin = await publish(conn, pack(prebuilt.documents()), surveyed.starts_at)
        await set_up(conn, MAPPING, surveyed.goods, import_id=surveyed.id, release=pin.release, now=surveyed.starts_at)
    return await Importer(stack, MAPPING, surveyed, data).run(selection, lambda _day, _placed: None)


async def counts(engine: AsyncEngine) -> dict[str, int]:
    """Return what an import of this channel has written."""
    mine = orders.c.channel_id == MAPPING.channel
    ids = select(orders.c.id).where(mine).scalar_subquery()
    units = select(func.sum(unit_entries.c.quantity)).where(unit_entries.c.order_id.in_(ids))
    queries = {
        "orders": select(func.count()).select_from(orders).where(mine),
        "journal": select(func.count()).select_from(journal).where(journal.c.order_id.in_(ids)),
        "shipped": select(func.count())
        .select_from(fulfillment_orders)
        .where(fulfillment_orders.c.order_id.in_(ids), fulfillment_orders.c.status == "fulfilled"),
        "open fulfillments": select(func.count())
        .select_from(fulfillment_orders)
        .where(fulfillment_orders.c.order_id.in_(ids), fulfillment_orders.c.status.not_in(["fulfilled", "cancelled"])),
        "cancellations": select(func.count()).select_from(change_orders).where(change_orders.c.order_id.in_(ids)),
        "exceptions": select(func.count())
        .select_from(process_exceptions)
        .where(process_exceptions.c.code.startswith("import.", autoescape=True)),
        "units cancelled": units.where(unit_entries.c.state == "cancelled"),
        "on hand": select(func.sum(stock.c.on_hand)).where(stock.c.location_id == MAPPING.warehouse.id),
        "reserved": select(func.sum(stock.c.reserved)).where(stock.c.location_id == MAPPING.warehouse.id),
    }
    async with engine.connect() as conn:
        return {name: int(await conn.scalar(query) or 0) for name, query in queries.items()}


async def test_the_example_day(stack: Stack, tmp_path: Path) -> None:
    """Every invoice is an order and ships; a second run, even one that has forgotten the first, doubles nothing."""
    first = await imported(stack, DAY, tmp_path / "first")
    written = await counts(stack.engine)
    again = await imported(stack, DAY, tmp_path / "first")
    forgotten = await imported(stack, DAY, tmp_path / "second")

    assert (first.placed, first.skipped) == (34, 0)
    assert (first.split.read, first.split.orders, first.split.changes) == (737, 689, 15)
    assert (first.split.exceptions, first.split.refused, first.split.balanced) == (25, 8, True)
    assert len(first.report.read_text(encoding="utf-8").splitlines()) == 9
    cancelled = written.pop("units cancelled")
    # One order was cancelled as a whole, one holds charges only. What was cancelled stays on the shelf.
    assert written.pop("shipped") == 32
    assert written.pop("journal") > 0
    assert cancelled > 0
    assert written == {
        "orders": 34,
        "open fulfillments": 0,
        "cancellations": 3,
        "exceptions": 25,
        "on hand": cancelled,
        "reserved": 0,
    }
    assert (again.placed, again.skipped, again.split) == (0, 34, first.split)
    assert (forgotten.placed, forgotten.split) == (34, first.split)
    after = await counts(stack.engine)
    assert {name: after[name] for name in written} == written
    assert after["units cancelled"] == cancelled
    async with snapshot(stack.engine) as conn:
        assert (await examine(conn)).findings == ()


HEADING = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


async def test_a_later_cancellation_returns_what_has_shipped(stack: Stack, tmp_path: Path) -> None:
    """A cancellation of another day is a return: credited and refunded, not cancelled."""
    path = tmp_path / "two-days.csv"
    rows = (
        "T1,T-20685,DOORMAT,10,2011-08-01 09:00:00,7.08,T-1.0,France",
        "T1,POST,POSTAGE,1,2011-08-01 09:00:00,18.0,T-1.0,France",
        "CT2,T-20685,DOORMAT,-4,2011-08-02 09:00:00,7.08,T-1.0,France",
    )
    path.write_text("\n".join([HEADING, *rows]) + "\n", encoding="utf-8")

    outcome = await imported(stack, path, tmp_path / "data")

    assert (outcome.split.orders, outcome.split.changes, outcome.split.exceptions) == (2, 1, 0)
    async with snapshot(stack.engine) as conn:
        order_id, placed_at = (
            await conn.execute(select(orders.c.id, orders.c.placed_at).where(orders.c.external_id == "T1"))
        ).one()
        types = list(
            await conn.scalars(select(journal.c.type).where(journal.c.order_id == order_id).order_by(journal.c.seq))
        )
        returned = await conn.scalar(
            select(func.sum(unit_entries.c.quantity)).where(
                unit_entries.c.order_id == order_id, unit_entries.c.state == "returned"
            )
        )
        kinds = list(await conn.scalars(select(change_orders.c.kind).where(change_orders.c.order_id == order_id)))
        assert (await examine(conn)).findings == ()
    assert f"{placed_at:%Y-%m-%d %H:%M}" == "2011-08-01 09:00"
    assert (kinds, returned) == (["return"], 4)
    assert types.count("credit-memo.created") == 1
    assert types.count("payment.refunded") == 1
    assert "items.cancelled" not in types
