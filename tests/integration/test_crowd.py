"""Many orders at once: nothing is promised twice, and nobody waits in a circle."""

import asyncio


async def test_fifty_orders_for_the_last_ten_units(bench) -> None:
    """Exactly ten are reserved, forty are short; the counters say ten."""
    await bench.load({"A": {"X": 6}, "B": {"X": 4}})
    orders = [await bench.place({"X": 1}) for _ in range(50)]

    answers = await asyncio.gather(*(bench.act("create-reservation", order) for order in orders))

    outcomes = [answer.output["outcome"] for answer in answers]
    assert (outcomes.count("reserved"), outcomes.count("short")) == (10, 40)
    assert await bench.reserved() == {"all X": 10}
    assert await bench.counters_agree()


async def test_the_same_skus_in_another_order_do_not_deadlock(bench) -> None:
    """Twenty orders reserve and allocate the same SKUs, half of them in reverse; all succeed at the first attempt."""
    skus = ["S1", "S2", "S3", "S4"]
    stock = {location: dict.fromkeys(skus, 100) for location in ("A", "B")}
    await bench.load(stock, groups={"all": ["A", "B"], "west": ["B", "A"]})
    orders = [await bench.place(dict.fromkeys(skus if number % 2 else reversed(skus), 2)) for number in range(20)]

    async def through(order: str) -> None:
        await bench.act("create-reservation", order)
        await bench.route(order)

    await asyncio.gather(*(through(order) for order in orders))

    total = await bench.rows("SELECT sku, sum(reserved) FROM stock GROUP BY sku ORDER BY sku")
    assert total == [(sku, 40) for sku in skus]
    assert await bench.counters_agree()


async def test_routed_orders_never_take_more_than_there_is(bench) -> None:
    """Orders that reserve only when routed compete for the last units: some win, the others hear that stock moved."""
    await bench.load({"A": {"X": 10}}, reserve="routing")
    orders = [await bench.place({"X": 1}) for _ in range(20)]
    attempts = []
    for order in orders:
        planned = await bench.act("schedule-routing", order)
        found = await bench.act("find-routes", order, {"schedule": planned.output["schedule"]})
        attempts.append((order, found.output["attempt"]))

    results = await asyncio.gather(
        *(bench.act("create-fulfillment-orders", order, {"attempt": attempt}) for order, attempt in attempts),
        return_exceptions=True,
    )

    moved = [result.code for result in results if isinstance(result, Exception)]
    assert moved == ["stock.moved"] * 10
    assert await bench.reserved() == {"A X": 10, "all X": 10}
    assert await bench.rows("SELECT count(*) FROM fulfillment_orders") == [(10,)]
    assert await bench.counters_agree()


async def test_first_orders_of_one_customer_at_once_are_one_person(bench) -> None:
    """Eight first orders of the same customer all succeed at the first attempt, and leave one person."""
    await bench.load({"A": {"X": 100}})
    customer = {"reference": "c-1", "name": "Ada Example"}

    orders = await asyncio.gather(*(bench.place({"X": 1}, customer=customer) for _ in range(8)))

    assert len(set(orders)) == 8
    assert await bench.rows("SELECT count(*) FROM persons") == [(1,)]
    assert await bench.rows("SELECT count(DISTINCT person_id) FROM orders") == [(1,)]
