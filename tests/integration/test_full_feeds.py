"""Full feeds of stock: what they do not name is set to zero, unless that were too much, and a preview tells it all."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.domain.reserving import CreateReservation
from orderloom.inventory import feed_reading
from orderloom.inventory.changing import StockCounts, count
from orderloom.inventory.feed_lines import FeedOptions
from orderloom.inventory.feed_previews import FeedPreview, preview_feed
from orderloom.inventory.feed_progress import FeedChanged
from orderloom.inventory.feeds import load_feed
from orderloom.inventory.reservations import create_reservation
from orderloom.inventory.whole_feeds import FeedZeroesTooMuch
from orderloom.persistence.world import World, change_stock, load_world
from tests.integration.test_feeds import CHANGES, NOW, books, feed, lines_of, rows

SKUS = [f"S{n}" for n in range(10)]
WORLD = {
    "products": [{"sku": sku} for sku in [*SKUS, "NEW"]],
    "locations": [{"id": place, "country": "DE"} for place in ("A", "B", "C")],
    "groups": [{"id": "g", "locations": ["A", "B"]}],
    "stock": [{"location": place, "sku": sku, "on_hand": 7} for place in ("A", "B", "C") for sku in SKUS],
}
HEAD = "location,sku,quantity,at\n"


@pytest.fixture
async def full(engine: AsyncEngine) -> AsyncEngine:
    """Return a database with seven of each of ten SKUs at each of three locations, loaded the day before."""
    async with engine.begin() as conn:
        await load_world(conn, World.model_validate(WORLD), NOW - timedelta(days=1))
    return engine


def names(*skus: str, location: str = "A", quantity: int = 7, minutes: int | None = None) -> str:
    """Return lines that name these shelves, counted so many minutes ago."""
    at = "" if minutes is None else (NOW - timedelta(minutes=minutes)).isoformat()
    return "".join(f"{location},{sku},{quantity},{at}\n" for sku in skus)


async def on_hand(engine: AsyncEngine, *skus: str) -> list[tuple[str, str, int]]:
    """Return what is on hand of these SKUs, by location and SKU, and then in the group."""
    wanted = ", ".join(f"'{sku}'" for sku in skus)
    query = f"SELECT location_id, sku, on_hand FROM stock WHERE sku IN ({wanted}) ORDER BY 1, 2"
    groups = f"SELECT group_id, sku, on_hand FROM group_stock WHERE sku IN ({wanted}) ORDER BY 1, 2"
    return [*await rows(engine, query), *await rows(engine, groups)]


async def preview(engine: AsyncEngine, lines: str, **options: Any) -> FeedPreview:
    given = FeedOptions.model_validate({"id": "p", "mode": "full", "format": "csv", **options})
    return await preview_feed(engine, given, lines_of(lines), NOW)


async def test_what_a_full_feed_does_not_name_is_set_to_zero(full: AsyncEngine) -> None:
    """At the location that it names, with a note, in groups too; what is reserved stays, other locations do too."""
    held = {"owner": "o", "records": [{"location": "A", "sku": "S9", "quantity": 2}]}
    await create_reservation(full, "r", CreateReservation.model_validate(held), NOW)

    progress, bad = await feed(full, HEAD + names(*SKUS[:7]) + names("S7", quantity=4), zero_at_most=0.2)

    assert bad == []
    assert (progress.read, progress.lines, progress.changed, progress.zeroed, progress.kept) == (9, 9, 1, 2, 0)
    assert await on_hand(full, "S0", "S7", "S8", "S9") == [
        *[("A", "S0", 7), ("A", "S7", 4), ("A", "S8", 0), ("A", "S9", 0)],
        *[(place, sku, 7) for place in ("B", "C") for sku in ("S0", "S7", "S8", "S9")],
        *[("g", "S0", 14), ("g", "S7", 11), ("g", "S8", 7), ("g", "S9", 7)],
    ]
    assert await rows(full, CHANGES) == [
        ("A", "S7", -3, "feed:f"),
        ("A", "S8", -7, "feed:f"),
        ("A", "S9", -7, "feed:f"),
    ]
    assert await rows(full, "SELECT reserved FROM stock WHERE location_id = 'A' AND sku = 'S9'") == [(2,)]
    assert await books(full) == ()


async def test_too_many_shelves_are_not_set_to_zero_unless_it_is_allowed(full: AsyncEngine) -> None:
    """Three of ten are refused with the figures before anything changes; sent again with a larger share they are."""
    lines = HEAD + names(*SKUS[:7], quantity=1) + names(*SKUS, location="B")

    with pytest.raises(FeedZeroesTooMuch) as refused:
        await feed(full, lines)

    assert refused.value.facts == {"location": "A", "unnamed": 3, "stocked": 10, "locations": 1}
    assert str(refused.value) == "it does not name 3 of the 10 stocked shelves at A, more than 20% of them"
    assert await rows(full, CHANGES) == []
    assert await rows(full, "SELECT DISTINCT on_hand FROM stock") == [(7,)]

    progress, _ = await feed(full, lines, zero_at_most=0.3)
    assert (progress.changed, progress.zeroed) == (7, 3)
    assert await books(full) == ()


async def test_a_shelf_without_stock_is_no_stocked_shelf(full: AsyncEngine) -> None:
    """Of ten shelves five are empty: two of the other five are more than a fifth, one is not."""
    await feed(full, "location,sku,quantity\n" + "".join(f"A,{sku},-7\n" for sku in SKUS[5:]), mode="delta", id="d")

    with pytest.raises(FeedZeroesTooMuch):
        await feed(full, HEAD + names("S0", "S1", "S2"))
    progress, _ = await feed(full, HEAD + names("S0", "S1", "S2", "S3"), id="one")

    assert progress.zeroed == 1
    assert await books(full) == ()


async def test_what_came_after_the_count_is_kept(full: AsyncEngine) -> None:
    """Counted an hour ago: what moved since is on hand, and so is a later count; nothing falls below zero."""
    async with full.begin() as conn:
        await change_stock(conn, "A", "S6", -1, "before", NOW - timedelta(minutes=90))
        await change_stock(conn, "A", "S7", 5, "receipt", NOW - timedelta(minutes=30))
        await change_stock(conn, "A", "S8", -2, "shipped", NOW - timedelta(minutes=30))
    later = {"records": [{"location": "A", "sku": "S9", "quantity": 8}]}
    await count(full, "c", StockCounts.model_validate(later), NOW - timedelta(minutes=10))

    progress, bad = await feed(full, HEAD + names(*SKUS[:5], minutes=60) + names("S5", minutes=45), zero_at_most=0.3)

    assert (bad, progress.zeroed) == ([], 3)
    assert [row for row in await on_hand(full, "S6", "S7", "S8", "S9") if row[0] == "A"] == [
        ("A", "S6", 0),
        ("A", "S7", 5),
        ("A", "S8", 0),
        ("A", "S9", 8),
    ]
    assert await books(full) == ()


async def test_a_wrong_line_names_its_shelf(full: AsyncEngine) -> None:
    """Its quantity cannot be read: it is told, and the shelf stays as it is; the one that nothing names is zeroed."""
    progress, bad = await feed(full, HEAD + names(*SKUS[:8]) + "A,S8,many,\n")

    assert [(row.line, row.code) for row in bad] == [(10, "quantity.invalid")]
    assert (progress.zeroed, progress.kept, progress.refused) == (1, 0, 1)
    assert [row for row in await on_hand(full, "S8", "S9") if row[0] == "A"] == [("A", "S8", 7), ("A", "S9", 0)]


@pytest.mark.parametrize("unread", ["A,S8\n", "A,,7,\n"])
async def test_nothing_is_set_to_zero_when_a_line_names_nobody_knows_what(full: AsyncEngine, unread: str) -> None:
    """The other lines are merged, and it is told how many shelves were left."""
    progress, bad = await feed(full, HEAD + names(*SKUS[:8], quantity=6) + unread)

    assert len(bad) == 1
    assert (progress.changed, progress.zeroed, progress.kept) == (8, 0, 2)
    assert [row for row in await on_hand(full, "S8", "S9") if row[0] == "A"] == [("A", "S8", 7), ("A", "S9", 7)]
    assert await books(full) == ()


async def test_a_feed_that_is_cut_off_changes_nothing(full: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is lost behind the sixth line: no line of it is merged and no shelf zeroed; whole, it is."""
    monkeypatch.setattr(feed_reading, "CHUNK", 2)
    lines = HEAD + names(*SKUS[:9], quantity=3)
    with pytest.raises(ConnectionError):
        await feed(full, lines, fails_after=6)
    assert await rows(full, CHANGES) == []

    progress, _ = await feed(full, lines)
    assert (progress.skipped, progress.changed, progress.zeroed) == (0, 9, 1)


@pytest.mark.parametrize("stops_at", range(6))
async def test_a_full_feed_that_was_stopped_goes_on(
    full: AsyncEngine, monkeypatch: pytest.MonkeyPatch, stops_at: int
) -> None:
    """Whichever chunk it stops at, sent again it ends as if it had not stopped, by the share that was allowed first."""
    monkeypatch.setattr(feed_reading, "CHUNK", 2)
    lines = HEAD + names(*SKUS[:6], quantity=3)
    told = 0

    def tell(progress: Any, _: Any) -> None:
        nonlocal told
        told += progress.lines > 0
        if told == stops_at + 1:
            raise ConnectionError

    options = FeedOptions(id="f", mode="full", format="csv", zero_at_most=0.4)
    with pytest.raises(ConnectionError):
        await load_feed(full, options, lines_of(lines), lambda: NOW, tell)
    progress, _ = await feed(full, lines)
    again, _ = await feed(full, lines)

    assert progress.lines == progress.read == 7
    assert (again.skipped, again.changed, again.zeroed) == (7, 0, 0)
    assert await rows(full, "SELECT SUM(on_hand) FROM stock WHERE location_id = 'A'") == [(18,)]
    assert len(await rows(full, CHANGES)) == 10
    assert await books(full) == ()


async def test_a_full_feed_that_has_ended_sets_nothing_to_zero_again(full: AsyncEngine) -> None:
    """What was put on a shelf since stays there when the same feed is sent again."""
    lines = HEAD + names(*SKUS[:9])
    await feed(full, lines)
    async with full.begin() as conn:
        await change_stock(conn, "A", "S9", 5, "receipt", NOW)

    progress, _ = await feed(full, lines)

    assert (progress.lines, progress.skipped, progress.zeroed) == (10, 10, 0)
    assert ("A", "S9", 5) in await on_hand(full, "S9")


async def test_other_contents_of_a_full_feed_are_refused(full: AsyncEngine) -> None:
    """More lines under the same id are another feed: nothing of it is merged."""
    await feed(full, HEAD + names(*SKUS[:9]))
    before = await rows(full, CHANGES)

    with pytest.raises(FeedChanged):
        await feed(full, HEAD + names(*SKUS[:9]) + names("S9", quantity=1))
    assert await rows(full, CHANGES) == before


async def test_a_preview_tells_what_would_change_and_changes_nothing(full: AsyncEngine) -> None:
    """By location: new, changed, zeroed and unchanged shelves, the first of each by name, and what is refused."""
    lines = "location,sku,quantity,safety_stock\n"
    lines += "".join(f"A,{sku},7,\n" for sku in SKUS[:7])
    lines += "A,S7,7,2\nA,NEW,3,1\nB,S0,9,\nX,S0,1,\nB,X,1,\nB,S1,some,\n"
    before = await rows(full, "SELECT location_id, sku, on_hand, safety, counted_at FROM stock ORDER BY 1, 2")

    told = await preview(full, lines)

    assert (told.lines, told.kept) == (14, 0)
    assert [(row.line, row.code) for row in told.refused] == [
        (12, "location.unknown"),
        (13, "sku.unknown"),
        (14, "quantity.invalid"),
    ]
    assert [each.model_dump(exclude={"first"}) for each in told.locations] == [
        {"location": "A", "new": 1, "changed": 1, "zeroed": 2, "unchanged": 7, "too_much": False},
        {"location": "B", "new": 0, "changed": 1, "zeroed": 8, "unchanged": 0, "too_much": True},
    ]
    assert [tuple(shelf.model_dump().values()) for shelf in told.locations[0].first] == [
        ("S7", "changed", 7, 7, 0, 2),
        ("NEW", "new", 0, 3, 0, 1),
        ("S8", "zeroed", 7, 0, 0, 0),
        ("S9", "zeroed", 7, 0, 0, 0),
    ]
    assert [shelf.sku for shelf in told.locations[1].first] == ["S0", "S2", "S3", "S4", "S5", "S6"]
    assert await rows(full, "SELECT location_id, sku, on_hand, safety, counted_at FROM stock ORDER BY 1, 2") == before
    assert await rows(full, CHANGES) == []
    assert await rows(full, "SELECT * FROM inventory_feeds") == []


async def test_a_preview_says_what_the_feed_then_does(full: AsyncEngine) -> None:
    """Of a full feed and of a delta: as many shelves are changed and zeroed as the preview told."""
    async with full.begin() as conn:
        await change_stock(conn, "A", "S3", 2, "receipt", NOW - timedelta(minutes=30))
    counted = HEAD + names(*SKUS[:8], minutes=60) + names("NEW", quantity=2)
    changes = "location,sku,quantity\nA,S0,1\nA,S0,-1\nA,S1,2\nB,S0,-9\n"

    told = await preview(full, counted)
    progress, _ = await feed(full, counted)
    assert [(each.new, each.changed, each.zeroed, each.unchanged) for each in told.locations] == [(1, 0, 2, 8)]
    assert (progress.changed, progress.zeroed) == (1, 2)

    told = await preview(full, changes, mode="delta")
    progress, bad = await feed(full, changes, mode="delta", id="d")
    assert [(each.new, each.changed, each.zeroed, each.unchanged) for each in told.locations] == [(0, 1, 0, 1)]
    assert (progress.changed, progress.zeroed) == (1, 0)
    assert [row.code for row in told.refused] == [row.code for row in bad] == ["stock.out_of_range"]


async def test_nothing_of_a_feed_is_left_behind_in_its_session(full: AsyncEngine) -> None:
    """Feeds and previews one after the other on a pool of connections meet nothing that one before has staged."""
    for number in range(3):
        await preview(full, HEAD + names(*SKUS[:9], quantity=number))
        progress, _ = await feed(full, HEAD + names(*SKUS[:9], quantity=number), id=f"f{number}")
        assert (progress.changed, progress.zeroed) == (9, 1 if number == 0 else 0)
    async with full.connect() as conn:
        left = await conn.execute(text("SELECT relname FROM pg_class WHERE relname LIKE 'stock_feed_staged%'"))
        assert left.all() == []
