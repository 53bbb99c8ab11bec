"""Places the boxes of a flow's picture: in rows from the top down, none upon another."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean

from flows_dsl.diagram import Arrow, Box, Diagram

CHARACTER, LINE = 7.3, 16
"""Width and height that a character takes, in pixels, in the monospaced font of 12."""
GAP_X, GAP_Y, PADDING, MARGIN = 56, 56, 10, 24
SWEEPS = 8


@dataclass(frozen=True)
class Place:
    """Where a box stands: its middle, and its size."""

    x: float
    y: float
    width: float
    height: float


type Point = tuple[float, float]


@dataclass(frozen=True)
class Layout:
    """Places of boxes by id, the points that each arrow goes through, and the size of the whole."""

    places: dict[str, Place]
    lines: tuple[tuple[Arrow, tuple[Point, ...]], ...]
    width: float
    height: float


def layout(drawn: Diagram) -> Layout:
    """Return where everything of *drawn* goes: the same for the same diagram."""
    back = _backward(drawn)
    forward = [it for it in drawn.arrows if it not in back]
    ranks = _ranks(drawn.boxes, forward)
    chains = {arrow: _chain(arrow, ranks) for arrow in forward}
    sizes = {box.id: _size(box) for box in drawn.boxes}
    rows = _rows(ranks, chains.values())
    places = _placed(rows, sizes)
    width = max(it.x + it.width / 2 for it in places.values()) + MARGIN
    lines: list[tuple[Arrow, tuple[Point, ...]]] = []
    for arrow in drawn.arrows:
        if arrow in chains:
            lines.append((arrow, _down([places[it] for it in chains[arrow]])))
        else:
            # Each way back has a lane of its own at the right edge.
            width += GAP_X / 2
            lines.append((arrow, _up(places[arrow.source], places[arrow.target], width - MARGIN)))
    height = max(it.y + it.height / 2 for it in places.values()) + MARGIN
    boxes = {box.id: places[box.id] for box in drawn.boxes}
    return Layout(boxes, tuple(lines), width, height)


def _size(box: Box) -> Point:
    return max(map(len, box.lines)) * CHARACTER + 2 * PADDING, len(box.lines) * LINE + 2 * PADDING


def _backward(drawn: Diagram) -> set[Arrow]:
    """Return the arrows that lead back: boxes are in the order of the document, so those to an earlier box."""
    order = {box.id: index for index, box in enumerate(drawn.boxes)}
    return {it for it in drawn.arrows if order[it.target] <= order[it.source]}


def _ranks(boxes: Sequence[Box], forward: Sequence[Arrow]) -> dict[str, int]:
    """Return the row of each box: below all that lead to it."""
    ranks = {box.id: 0 for box in boxes}
    leaving: dict[str, list[str]] = defaultdict(list)
    for arrow in forward:
        leaving[arrow.source].append(arrow.target)
    for box in boxes:
        for target in leaving[box.id]:
            ranks[target] = max(ranks[target], ranks[box.id] + 1)
    return ranks


def _chain(arrow: Arrow, ranks: dict[str, int]) -> list[str]:
    """Return the ids that the arrow goes through: in each row between its ends it keeps a place free."""
    between = range(ranks[arrow.source] + 1, ranks[arrow.target])
    return [arrow.source, *(f"{arrow.source}>{arrow.target}>{arrow.label}>{rank}" for rank in between), arrow.target]


def _rows(ranks: dict[str, int], chains: Iterable[list[str]]) -> list[list[str]]:
    """Return the ids in each row, each near to what it is joined with in the rows above and below."""
    rows: list[list[str]] = [[] for _ in range(max(ranks.values()) + 1)]
    for id, rank in ranks.items():
        rows[rank].append(id)
    above: dict[str, list[str]] = defaultdict(list)
    below: dict[str, list[str]] = defaultdict(list)
    for chain in chains:
        for rank, id in enumerate(chain[1:-1], ranks[chain[0]] + 1):
            rows[rank].append(id)
        for upper, lower in pairwise(chain):
            above[lower].append(upper)
            below[upper].append(lower)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        at = {id: index - len(row) / 2 for row in rows for index, id in enumerate(row)}
        for row in rows if down else reversed(rows):
            joined = above if down else below
            means = {id: mean(at[it] for it in joined[id]) if joined[id] else at[id] for id in row}
            row.sort(key=means.__getitem__)
            at |= {id: index - len(row) / 2 for index, id in enumerate(row)}
    return rows


def _placed(rows: list[list[str]], sizes: dict[str, Point]) -> dict[str, Place]:
    """Return the place of every id; what is no box is as narrow as an arrow. Rows stand on one middle line."""
    spans = [sum(_width(id, sizes) for id in row) + GAP_X * (len(row) - 1) for row in rows]
    places: dict[str, Place] = {}
    top = float(MARGIN)
    for row, span in zip(rows, spans, strict=True):
        left = MARGIN + (max(spans) - span) / 2
        height = max(sizes[id][1] for id in row if id in sizes)
        for id in row:
            width = _width(id, sizes)
            own = sizes[id][1] if id in sizes else height
            places[id] = Place(left + width / 2, top + height / 2, width, own)
            left += width + GAP_X
        top += height + GAP_Y
    return places


def _width(id: str, sizes: dict[str, Point]) -> float:
    return sizes[id][0] if id in sizes else 0.0


def _down(places: Sequence[Place]) -> tuple[Point, ...]:
    first, *between, last = places
    middle = [point for it in between for point in ((it.x, it.y - it.height / 2), (it.x, it.y + it.height / 2))]
    return ((first.x, first.y + first.height / 2), *middle, (last.x, last.y - last.height / 2))


def _up(source: Place, target: Place, lane: float) -> tuple[Point, ...]:
    # A way from a box back to itself leaves and enters at different heights.
    low, high = source.y + source.height / 4, target.y - target.height / 4
    return ((source.x + source.width / 2, low), (lane, low), (lane, high), (target.x + target.width / 2, high))
