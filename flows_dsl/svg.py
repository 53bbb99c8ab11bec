"""Draws the graph of a flow as an SVG picture of its own, light or dark as the reader's screen is."""

from collections.abc import Iterator
from xml.sax.saxutils import escape

from flows_dsl.diagram import Arrow, Box, Diagram
from flows_dsl.layout import CHARACTER, LINE, Place, Point, layout

_STYLE = """\
svg { --ink: #1b1f24; --paper: #ffffff; --box: #f3f5f8; --ask: #fff4d6; --wait: #e3f0ff; --bad: #ffe3e0 }
@media (prefers-color-scheme: dark) {
  svg { --ink: #e6e9ee; --paper: #14171b; --box: #262b32; --ask: #4a3d14; --wait: #1d3a5c; --bad: #5a2521 }
}
.paper { fill: var(--paper) }
text { font: 12px ui-monospace, monospace; fill: var(--ink); text-anchor: middle }
.name { font-weight: bold }
.label { paint-order: stroke; stroke: var(--paper); stroke-width: 4px; text-anchor: start }
rect.box { fill: var(--box); stroke: var(--ink) }
rect.switch, rect.fork, rect.join, rect.for { fill: var(--ask) }
rect.listen, rect.wait { fill: var(--wait) }
rect.raise { fill: var(--bad) }
rect.done { fill: #b7e4c0; stroke: #2e7d32 }
rect.waits { fill: #ffe08a; stroke: #b7791f }
rect.failed { fill: #f8b4b4; stroke: #c53030 }
text.on { fill: #111111 }
path { fill: none; stroke: var(--ink) }
path.dashed { stroke-dasharray: 5 4 }
marker path { fill: var(--ink) }
"""
_ROUND = {"start": 18, "stop": 18, "join": 18, "wait": 10, "listen": 10}


def svg(drawn: Diagram) -> str:
    """Return *drawn* as an SVG document: arrows behind, boxes before them, labels in front."""
    found = layout(drawn)
    size = f"{found.width:.0f} {found.height:.0f}"
    width, height = size.split()
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {size}" role="img">',
        f"<title>{escape(drawn.name)}</title>",
        f"<style>\n{_STYLE}</style>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
        'orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>',
        '<rect class="paper" width="100%" height="100%"/>',
        *(_line(arrow, points) for arrow, points in found.lines),
        *(line for box in drawn.boxes for line in _box(box, found.places[box.id])),
        *(_label(arrow, points) for arrow, points in found.lines if arrow.label),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _line(arrow: Arrow, points: tuple[Point, ...]) -> str:
    way = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    dashed = ' class="dashed"' if arrow.dashed else ""
    return f'<path{dashed} d="M{way}" marker-end="url(#head)"/>'


def _box(box: Box, place: Place) -> Iterator[str]:
    left, top = place.x - place.width / 2, place.y - place.height / 2
    kind = f"{box.kind} {box.mark}" if box.mark else box.kind
    yield (
        f'<rect class="box {kind}" x="{left:.1f}" y="{top:.1f}" width="{place.width:.1f}" '
        f'height="{place.height:.1f}" rx="{_ROUND.get(box.kind, 3)}"/>'
    )
    first = place.y - (len(box.lines) - 1) * LINE / 2 + 4
    for index, line in enumerate(box.lines):
        classes = [name for name, has in (("name", not index), ("on", box.mark)) if has]
        name = f' class="{" ".join(classes)}"' if classes else ""
        yield f'<text{name} x="{place.x:.1f}" y="{first + index * LINE:.1f}">{escape(line)}</text>'


def _label(arrow: Arrow, points: tuple[Point, ...]) -> str:
    """Write the label near the arrow's tail, where arrows to the same box are still apart."""
    (x, y), (next_x, next_y) = points[0], points[1]
    if y == next_y:
        x, y = next_x - len(arrow.label) * CHARACTER - 6, y - 4
    else:
        x, y = x + (next_x - x) * 0.45 + 4, y + (next_y - y) * 0.45 + 4
    return f'<text class="label" x="{x:.1f}" y="{y:.1f}">{escape(arrow.label)}</text>'
