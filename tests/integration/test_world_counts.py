"""A world that is loaded counts its groups anew while orders go on: nothing that is reserved meanwhile is lost."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.persistence.stock import Held, change_held
from orderloom.persistence.world import Group, Stock, World, load_world
from tests.integration.conftest import Bench

type Work = Callable[[AsyncConnection], Awaitable[None]]

_WAITS = text("SELECT cardinality(pg_blocking_pids(:pid)) > 0")
GROUPS = World(groups=[Group(id="all", locations=["A", "B"])])
COUNTED = World(groups=GROUPS.groups, stock=[Stock(location="A", sku="X", on_hand=12)])


async def _behind(bench: Bench, first: Work, second: Work) -> None:
    """Do *second* while *first* is done and not committed; *first* is committed once *second* waits for it."""

    async def follow() -> None:
        async with bench.engine.begin() as conn:
            told.set_result(await conn.scalar(text("SELECT pg_backend_pid()")))
            await second(conn)

    told: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with asyncio.timeout(20), bench.engine.connect() as looking:
        async with bench.engine.begin() as conn:
            await first(conn)
            following = asyncio.create_task(follow())
            waits = {"pid": await told}
            while not await looking.scalar(_WAITS, waits):
                pass
        await following


@pytest.mark.parametrize(("world", "on_hand"), [(GROUPS, 10), (COUNTED, 12)])
@pytest.mark.parametrize("reserved_first", [True, False])
async def test_a_reservation_while_groups_are_counted_is_not_lost(
    bench: Bench, world: World, on_hand: int, reserved_first: bool
) -> None:
    """Whoever comes first, the group holds what its members hold, with the two units that were reserved meanwhile."""
    await bench.load({"A": {"X": 10}, "B": {"X": 5}})
    await bench.act("create-reservation", await bench.place({"X": 3}))
    assert await bench.reserved() == {"all X": 3}

    async def reserve(conn: AsyncConnection) -> None:
        await change_held(conn, {("A", "X"): Held(reserved=2)}, own_group="all")

    async def load(conn: AsyncConnection) -> None:
        await load_world(conn, world, bench.now)

    await _behind(bench, *((reserve, load) if reserved_first else (load, reserve)))

    assert await bench.reserved() == {"A X": 2, "all X": 5}
    assert await bench.rows("SELECT on_hand FROM group_stock WHERE group_id = 'all' AND sku = 'X'") == [(on_hand + 5,)]
