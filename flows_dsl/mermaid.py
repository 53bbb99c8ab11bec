"""Draws the graph of a flow as a Mermaid flowchart."""

from collections.abc import Iterable, Iterator, Sequence

from flows_dsl.diagram import Arrow, Box, Diagram

_SHAPES = {
    "start": ("([", "])"),
    "stop": ("([", "])"),
    "join": ("((", "))"),
    "switch": ("{", "}"),
    "listen": ("{{", "}}"),
    "wait": ("(", ")"),
    "run": ("[[", "]]"),
    "emit": ("[/", "/]"),
    "raise": ("[\\", "\\]"),
}
_PLAIN = ("[", "]")
_MARKS = {
    "done": "fill:#d8f0dc,stroke:#2e7d32,color:#111",
    "waits": "fill:#fff3c4,stroke:#b7791f,color:#111",
    "failed": "fill:#fbd5d5,stroke:#c53030,color:#111",
}
# Mermaid reads `#` as the start of an entity, so it goes first.
_ENTITIES = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "`": "#96;", "\\": "#92;", "&": "#amp;"}
_ESCAPES = str.maketrans(_ENTITIES)


def mermaid(drawn: Diagram) -> str:
    """Return *drawn* as the text of a flowchart, one box or arrow a line."""
    return "\n".join(_written(drawn.boxes, drawn.arrows)) + "\n"


def _written(boxes: Sequence[Box], arrows: Iterable[Arrow]) -> Iterator[str]:
    yield "flowchart TD"
    for box in boxes:
        opening, closing = _SHAPES.get(box.kind, _PLAIN)
        yield f"    {box.id}{opening}{_text('<br/>'.join(map(_escaped, box.lines)))}{closing}"
    for arrow in arrows:
        shaft = "-.->" if arrow.dashed else "-->"
        label = f"|{_text(_escaped(arrow.label))}|" if arrow.label else ""
        yield f"    {arrow.source} {shaft}{label} {arrow.target}"
    for mark, look in _MARKS.items():
        if ids := [box.id for box in boxes if box.mark == mark]:
            yield f"    classDef {mark} {look}"
            yield f"    class {','.join(ids)} {mark}"


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES)


def _text(text: str) -> str:
    return f'"{text}"'
