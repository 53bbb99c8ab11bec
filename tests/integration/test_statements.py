"""How many statements the transactions of a standard order take: a budget, so that nobody adds a round trip unseen."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import event

from activities.waves import Waves
from orderloom.persistence.reports import Report, submit_report
from tests.integration.test_waves import At, Here


@contextmanager
def _counted(bench) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(bench.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(bench.engine.sync_engine, "before_cursor_execute", note)


async def test_a_standard_order_keeps_its_budget(bench) -> None:
    """Each transaction of an order of two lines, one shipment, takes exactly so many statements."""
    await bench.load({"A": {"X": 10, "Y": 10}})
    bench.checking = False
    taken: dict[str, int] = {}
    body = bench.body({"X": 1, "Y": 1})
    with _counted(bench) as statements:
        submitted = await bench.submit("order.placed", body, external_id=body["external_id"], idempotency_key="k")
    # The deployment's key is made once, by the first body that needs it.
    taken["submit"] = len([one for one in statements if "person_keys" not in one])
    with _counted(bench) as statements:
        await bench.record(submitted, "order.placed")
    taken["order.placed"] = len(statements)
    order, made = submitted.order_id, f"{submitted.order_id}-F1"
    actions = [
        ("create-reservation", {}),
        ("schedule-routing", {"reason": "order.released"}),
        ("find-routes", {"schedule": 1}),
        ("create-fulfillment-orders", {"attempt": 1}),
    ]
    for action, input in actions:
        with _counted(bench) as statements:
            await bench.act(action, order, input)
        taken[action] = len(statements)
    for type in ("accepted", "shipped"):
        with _counted(bench) as statements:
            await bench.report(order, 1, type)
        taken[type] = len(statements)
    for action, input in (("fulfill-reservation", {"fulfillment_order": made}), ("resolve-exceptions", {"code": "x"})):
        with _counted(bench) as statements:
            await bench.act(action, order, input)
        taken[action] = len(statements)

    # "accepted" and "shipped" include the one statement that takes the report in.
    assert taken == {
        "submit": 1,
        "order.placed": 3,
        "create-reservation": 3,
        "schedule-routing": 3,
        "find-routes": 4,
        "create-fulfillment-orders": 4,
        "accepted": 3,
        "shipped": 3,
        "fulfill-reservation": 3,
        "resolve-exceptions": 3,
    }


async def test_taking_in_an_order_keeps_its_budget(bench) -> None:
    """Two statements for a customer who is known; one more makes the keys of a new one; one for a repetition."""
    await bench.load({"A": {"X": 10}})
    taken: list[int] = []
    for number, reference in enumerate(("ada", "ada", "ada", "bob")):
        who = {"reference": reference, "name": "Somebody"}
        body = bench.body({"X": 1}, customer=who, external_id=f"e{number}")
        with _counted(bench) as statements:
            submitted = await bench.submit("order.placed", body, external_id=body["external_id"], person=who)
        taken.append(len(statements))
        await bench.record(submitted, "order.placed")
    with _counted(bench) as statements:
        again = await bench.submit("order.placed", body, external_id="e3", person=who)

    assert again.replayed
    assert [*taken, len(statements)] == [3, 2, 2, 3, 1]


async def test_taking_in_a_report_keeps_its_budget(bench) -> None:
    """One statement finds whose it is and takes it in, or finds nobody; a repetition is looked for by another."""
    await bench.load({"A": {"X": 10}})
    order = await bench.allocated({"X": 1})
    taken: list[int] = []
    for about in (f"{order}-F1", f"{order}-F1", f"{order}-F2"):
        report = Report(
            type="fulfillment.picked",
            about="fulfillment_order",
            id=about,
            external_id="e1",
            body={"fulfillment_order": about},
            received_at=bench.now,
        )
        with _counted(bench) as statements:
            await submit_report(bench.engine, bench.vault, report)
        taken.append(len(statements))

    assert taken == [1, 2, 1]


async def test_an_order_that_a_wave_routes_keeps_its_budget(bench) -> None:
    """A pass takes as many statements for three orders as for one; the order's own actions no more than by itself."""
    await bench.load({"A": {"X": 50}}, reserve="routing", routing={"wave": {"pool": "central"}})
    bench.checking = False
    waves = Waves(bench.engine, Here())  # pyright: ignore[reportArgumentType]
    passes: list[int] = []
    taken: dict[str, int] = {}
    for many in (1, 3):
        orders = [await bench.place({"X": 1}) for _ in range(many)]
        for order in orders:
            await bench.act("schedule-routing", order, {"reason": "order.released"})
        bench.now += timedelta(seconds=60)
        with _counted(bench) as statements:
            done = await waves.route("central", At(bench))  # pyright: ignore[reportArgumentType]
        assert done.orders == many
        passes.append(len(statements))
        for order in orders:
            for action, input in (
                ("schedule-routing", {"reason": "order.released"}),
                ("find-routes", {"schedule": 1}),
                ("create-fulfillment-orders", {"attempt": 1}),
            ):
                with _counted(bench) as statements:
                    await bench.act(action, order, input)
                taken[action] = len(statements)

    assert passes == [11, 11]
    assert taken == {"schedule-routing": 3, "find-routes": 3, "create-fulfillment-orders": 4}
    assert await bench.rows("SELECT DISTINCT status FROM proposals") == [("accepted",)]
