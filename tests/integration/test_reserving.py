"""Reservations: all or nothing, never more than there is, once for a key."""


async def test_open_items_are_reserved_at_the_group(bench) -> None:
    """A reservation raises the group's counter, moves the units and journals it; locations stay as they are."""
    await bench.load({"A": {"X": 10}, "B": {"X": 5}})
    order = await bench.place({"X": 12})

    done = await bench.act("create-reservation", order)

    assert done.output == {"outcome": "reserved", "short": []}
    assert done.applied.order["units"]["reserved"] == 12
    assert done.applied.order["units"]["open"] == 0
    assert await bench.reserved() == {"all X": 12}
    assert await bench.journal(order) == ["order.placed", "stock.reserved"]
    assert await bench.counters_agree()


async def test_a_shortage_reserves_nothing(bench) -> None:
    """When one SKU is short nothing is reserved, and the answer says what is missing."""
    await bench.load({"A": {"X": 10, "Y": 1}})
    order = await bench.place({"X": 2, "Y": 3})

    done = await bench.act("create-reservation", order)

    assert done.output == {"outcome": "short", "short": [{"sku": "Y", "quantity": 2}]}
    assert await bench.reserved() == {}
    assert await bench.journal(order) == ["order.placed", "stock.short"]
