"""Feeds of stock: what they change and note, what they refuse, and that they go on where they stopped."""

import tracemalloc
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.domain.reserving import CreateReservation
from orderloom.inventory import feed_reading
from orderloom.inventory.feed_lines import BadRow, FeedOptions, FeedUnreadable
from orderloom.inventory.feed_progress import FeedChanged, FeedProgress
from orderloom.inventory.feeds import load_feed
from orderloom.inventory.reservations import create_reservation
from orderloom.persistence.world import World, change_stock, load_world
from orderloom.readmodels.doctor import examine
from orderloom.readmodels.snapshot import snapshot

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WORLD = {
    "products": [{"sku": "S"}, {"sku": "T"}],
    "locations": [{"id": "A", "country": "DE"}, {"id": "B", "country": "DE"}],
    "groups": [{"id": "g", "locations": ["A", "B"]}, {"id": "h", "locations": ["A"]}],
    "stock": [{"location": "A", "sku": "S", "on_hand": 10, "safety": 1}, {"location": "B", "sku": "S", "on_hand": 5}],
}


@pytest.fixture
async def stocked(engine: AsyncEngine) -> AsyncEngine:
    """Return a database with 10 S at A, in both groups, and 5 at B, in one."""
    async with engine.begin() as conn:
        await load_world(conn, World.model_validate(WORLD), NOW - timedelta(days=1))
    return engine


async def lines_of(text: str, fails_after: int | None = None) -> AsyncIterator[bytes]:
    for number, line in enumerate(text.encode().splitlines(keepends=True)):
        if number == fails_after:
            raise ConnectionError
        yield line


async def feed(
    engine: AsyncEngine, text: str, *, fails_after: int | None = None, **options: Any
) -> tuple[FeedProgress, list[BadRow]]:
    bad: list[BadRow] = []

    def tell(_: FeedProgress, rows: Sequence[BadRow]) -> None:
        bad.extend(rows)

    given = FeedOptions.model_validate({"id": "f", "mode": "full", "format": "csv", **options})
    return await load_feed(engine, given, lines_of(text, fails_after), lambda: NOW, tell), bad


async def rows(engine: AsyncEngine, query: str) -> list[tuple[Any, ...]]:
    async with engine.connect() as conn:
        return [tuple(row) for row in await conn.execute(text(query))]


ON_HAND = """
    SELECT location_id, sku, on_hand, reserved FROM stock
    UNION ALL SELECT group_id, sku, on_hand, reserved FROM group_stock ORDER BY 1, 2
"""
CHANGES = """
    SELECT location_id, sku, quantity, cause FROM stock_changes WHERE cause <> 'opening' ORDER BY location_id, sku, id
"""


async def books(engine: AsyncEngine) -> tuple[object, ...]:
    async with snapshot(engine) as conn:
        return tuple((await examine(conn)).findings)


async def test_full_feed_sets_what_is_on_hand_and_leaves_what_is_reserved(stocked: AsyncEngine) -> None:
    """Counts replace on hand at locations and move their groups; reserved stays; equal counts leave no trace."""
    held = {"owner": "o", "records": [{"location": "A", "sku": "S", "quantity": 4}]}
    await create_reservation(stocked, "r", CreateReservation.model_validate(held), NOW)

    progress, bad = await feed(stocked, "sku,location,quantity\nS,A,3\nT,A,7\nS,B,5\n")

    assert (progress.lines, progress.changed, bad) == (4, 2, [])
    assert await rows(stocked, ON_HAND) == [
        ("A", "S", 3, 4),
        ("A", "T", 7, 0),
        ("B", "S", 5, 0),
        ("g", "S", 8, 4),
        ("g", "T", 7, 0),
        ("h", "S", 3, 4),
        ("h", "T", 7, 0),
    ]
    assert await rows(stocked, CHANGES) == [("A", "S", -7, "feed:f"), ("A", "T", 7, "feed:f")]
    assert await books(stocked) == ()


async def test_a_count_that_is_given_again_is_the_same_count(stocked: AsyncEngine) -> None:
    """By another feed, with the same time of counting: its first merge is nothing that has moved since."""
    counted = f"location,sku,quantity,at\nA,S,17,{(NOW - timedelta(hours=1)).isoformat()}\n"

    await feed(stocked, counted, id="one")
    progress, _ = await feed(stocked, counted, id="two")

    assert progress.changed == 0
    assert await rows(stocked, "SELECT on_hand FROM stock WHERE location_id = 'A'") == [(17,)]
    async with snapshot(stocked) as conn:
        assert (await examine(conn)).findings == ()


async def test_delta_feed_adds_up_and_bad_lines_stop_nothing(stocked: AsyncEngine) -> None:
    """Changes of one shelf are summed; lines that cannot be merged are told with line and reason."""
    lines = (
        '{"sku": "S", "location": "A", "quantity": 2}',
        '{"sku": "S", "location": "A", "quantity": -5}',
        '{"sku": "S", "location": "B", "quantity": -6}',
        '{"sku": "S", "location": "X", "quantity": 1}',
        '{"sku": "X", "location": "A", "quantity": 1}',
        '{"sku": "S", "location": "A", "quantity": 1.5}',
        "",
        "[1]",
        "{",
        '{"sku": "T", "quantity": 3}',
    )
    progress, bad = await feed(stocked, "\n".join(lines), mode="delta", format="ndjson", location="B")

    assert [(row.line, row.field, row.code) for row in bad] == [
        (3, "quantity", "stock.out_of_range"),
        (4, "location", "location.unknown"),
        (5, "sku", "sku.unknown"),
        (6, "quantity", "quantity.invalid"),
        (8, None, "line.unreadable"),
        (9, None, "line.unreadable"),
    ]
    assert bad[3].detail == "it is no whole number: write one, up to 2147483647"
    assert (progress.lines, progress.changed, progress.refused) == (10, 2, 6)
    assert await rows(stocked, CHANGES) == [("A", "S", -3, "feed:f"), ("B", "T", 3, "feed:f")]
    assert [row[:3] for row in await rows(stocked, ON_HAND)] == [
        ("A", "S", 7),
        ("B", "S", 5),
        ("B", "T", 3),
        ("g", "S", 12),
        ("g", "T", 3),
        ("h", "S", 7),
    ]
    assert await books(stocked) == ()


async def test_count_keeps_what_moved_after_it(stocked: AsyncEngine) -> None:
    """A count of eleven o'clock that comes at noon keeps the movements since; those before are in it."""
    async with stocked.begin() as conn:
        await change_stock(conn, "A", "S", -1, "before", NOW - timedelta(minutes=90))
        await change_stock(conn, "A", "S", -2, "after", NOW - timedelta(minutes=30))

    await feed(stocked, f"sku,location,quantity,at\nS,A,20,{(NOW - timedelta(hours=1)).isoformat()}\n")

    assert (await rows(stocked, ON_HAND))[0] == ("A", "S", 18, 0)
    assert await books(stocked) == ()


def _counted(quantity: int, minutes: int, sku: str = "S") -> str:
    """Return a line of a count at A, taken so many minutes ago."""
    return f"A,{sku},{quantity},{(NOW - timedelta(minutes=minutes)).isoformat()}\n"


SUPERSEDED = "a later count of this shelf was taken before: nothing is to be done"


@pytest.mark.parametrize("found", [17, 10])
async def test_an_older_count_that_comes_late_is_superseded(stocked: AsyncEngine, found: int) -> None:
    """It is told and changes nothing, whether the later count found another number or just what was on hand."""
    await feed(stocked, "location,sku,quantity,at\n" + _counted(found, 30), id="later")
    noted = await rows(stocked, CHANGES)
    progress, bad = await feed(stocked, "location,sku,quantity,at\n" + _counted(12, 60), id="earlier")

    assert [(row.line, row.field, row.code, row.detail) for row in bad] == [(2, "at", "count.superseded", SUPERSEDED)]
    assert (progress.changed, progress.refused) == (0, 1)
    assert (await rows(stocked, ON_HAND))[0] == ("A", "S", found, 0)
    assert await rows(stocked, CHANGES) == noted
    assert await books(stocked) == ()


async def test_a_count_of_now_supersedes_any_before(stocked: AsyncEngine) -> None:
    """A count without a time was taken when it came; one that was taken before that changes nothing any more."""
    await feed(stocked, "location,sku,quantity\nA,S,17\n", id="now")
    _, bad = await feed(stocked, "location,sku,quantity,at\n" + _counted(12, 1), id="before")
    await feed(stocked, "location,sku,quantity\nA,S,18\n", id="again")

    assert [row.code for row in bad] == ["count.superseded"]
    assert (await rows(stocked, ON_HAND))[0] == ("A", "S", 18, 0)


@pytest.mark.parametrize("chunk", [1, 10])
async def test_counts_of_one_feed_are_taken_by_their_times(
    stocked: AsyncEngine, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    """The latest one counts wherever it stands and wherever a chunk ends; those behind it that are older are told."""
    monkeypatch.setattr(feed_reading, "CHUNK", chunk)
    counts = ((1, 50, "S"), (2, 20, "S"), (3, 40, "S"), (4, 20, "S"), (5, 30, "S"), (6, 9, "T"))

    _, bad = await feed(stocked, "location,sku,quantity,at\n" + "".join(_counted(*count) for count in counts))

    assert [(row.line, row.code) for row in bad] == [(4, "count.superseded"), (6, "count.superseded")]
    assert [row[:3] for row in await rows(stocked, ON_HAND)][:2] == [("A", "S", 4), ("A", "T", 6)]
    assert await books(stocked) == ()


async def test_what_moved_after_the_latest_count_is_kept_whatever_comes_late(stocked: AsyncEngine) -> None:
    """Counted at half past eleven, one shipped after that; the count of eleven that comes now adds neither of them."""
    await feed(stocked, "location,sku,quantity,at\n" + _counted(20, 30), id="later")
    async with stocked.begin() as conn:
        await change_stock(conn, "A", "S", -1, "shipped", NOW - timedelta(minutes=10))
    await feed(stocked, "location,sku,quantity,at\n" + _counted(12, 60), id="earlier")

    assert (await rows(stocked, ON_HAND))[0] == ("A", "S", 19, 0)
    assert await rows(stocked, CHANGES) == [("A", "S", 10, "feed:later"), ("A", "S", -1, "shipped")]


DELTA = "sku,location,quantity\nS,A,1\nS,B,1\nT,A,1\nS,A,1\n"


@pytest.mark.parametrize("stops_at", range(5))
async def test_interrupted_feed_goes_on_where_it_stopped(
    stocked: AsyncEngine, monkeypatch: pytest.MonkeyPatch, stops_at: int
) -> None:
    """Wherever a delta is cut off and sent again, each line is merged once; sent a third time nothing changes."""
    monkeypatch.setattr(feed_reading, "CHUNK", 2)
    with pytest.raises(ConnectionError):
        await feed(stocked, DELTA, mode="delta", fails_after=stops_at)
    await feed(stocked, DELTA, mode="delta")
    progress, _ = await feed(stocked, DELTA, mode="delta")

    assert (progress.lines, progress.skipped, progress.changed) == (5, 5, 0)
    assert [row[:3] for row in await rows(stocked, ON_HAND)] == [
        ("A", "S", 12),
        ("A", "T", 1),
        ("B", "S", 6),
        ("g", "S", 18),
        ("g", "T", 1),
        ("h", "S", 12),
        ("h", "T", 1),
    ]


async def test_feed_cut_short_goes_on_behind_its_last_line(stocked: AsyncEngine) -> None:
    """A file that ended early and is sent whole goes on inside a chunk."""
    await feed(stocked, DELTA[: DELTA.index("T")], mode="delta")
    progress, _ = await feed(stocked, DELTA, mode="delta")

    assert (progress.lines, progress.skipped) == (5, 3)
    assert (await rows(stocked, ON_HAND))[0] == ("A", "S", 12, 0)


@pytest.mark.parametrize("other", [DELTA.replace("S,B,1", "S,B,2"), DELTA[:22]])
async def test_other_contents_under_one_id_are_refused(stocked: AsyncEngine, other: str) -> None:
    """A feed that is not the one that was merged before is refused, and changes nothing."""
    await feed(stocked, DELTA, mode="delta")
    before = await rows(stocked, ON_HAND)

    with pytest.raises(FeedChanged):
        await feed(stocked, other, mode="delta")
    assert await rows(stocked, ON_HAND) == before


async def test_header_that_lacks_a_column_is_refused(stocked: AsyncEngine) -> None:
    """Nothing of such a feed is merged."""
    with pytest.raises(FeedUnreadable) as refused:
        await feed(stocked, "sku,amount\nS,1\n")
    assert refused.value.facts == {"missing": "location, quantity"}
    assert await rows(stocked, CHANGES) == []


async def _peak(engine: AsyncEngine, lines: int) -> int:
    """Return the most bytes that were held at once while a feed of so many lines was merged."""

    async def written() -> AsyncIterator[bytes]:
        yield b"location,sku,quantity\n"
        for number in range(lines):
            yield f"{'AB'[number % 2]},{'ST'[number % 3 % 2]},{number}\n".encode()

    given = FeedOptions(id=f"of-{lines}", mode="full", format="csv")
    tracemalloc.start()
    try:
        await load_feed(engine, given, written(), lambda: NOW, lambda *_: None)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def test_memory_does_not_grow_with_the_feed(stocked: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times as many lines take at most a fifth more memory: no more than two chunks are held at once."""
    monkeypatch.setattr(feed_reading, "CHUNK", 200)
    await _peak(stocked, 600)  # what is made once a process is made

    assert await _peak(stocked, 10_000) <= 1.2 * await _peak(stocked, 1_000)
