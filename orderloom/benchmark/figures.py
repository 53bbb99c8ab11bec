"""
The figures of the documentation: recorded as JSON, and written from there into marked blocks. Nobody types one.

A block stands between ``<!-- figures: NAME -->`` and ``<!-- end -->``, in any document, as often as it is wanted.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from orderloom.benchmark.backlog_report import BacklogReport
from orderloom.benchmark.feeding import FeedReport
from orderloom.benchmark.origin import Origin
from orderloom.benchmark.report import Report
from orderloom.benchmark.reserve_report import ReserveReport
from orderloom.benchmark.routing import RoutingReport
from orderloom.benchmark.tables import (
    backlog_table,
    benchmark_table,
    feed_table,
    of_the_twin,
    provenance,
    reserve_table,
    routing_table,
    verdict_table,
    waves_table,
)
from orderloom.benchmark.waves_report import WavesReport
from orderloom.domain.errors import OrderloomError
from orderloom.domain.model import Frozen

RECORDS = Path("docs/figures")
"""Where the records stand in a checkout."""

_BLOCK = re.compile(r"(<!-- figures: (?P<name>[a-z]+) -->\n)(?P<content>.*?)(<!-- end -->)", re.DOTALL)
_MARK = "<!-- figures:"


class BlockUnknown(OrderloomError):
    """A block of figures is not closed, or nobody knows its name.

    Close it with `<!-- end -->`, and use one of the names that are listed.
    """

    code = "figures.block_unknown"


class Printed(Frozen):
    """What a command printed."""

    kind: str
    command: str
    origin: Origin
    lines: tuple[str, ...]


def _benchmark(record: str) -> str:
    report = Report.model_validate_json(record)
    table, compared = benchmark_table(report), of_the_twin(report)
    return f"{table.markdown()}\n\n{compared}\n\n{_said(report.command, table.title, report.origin)}"


def _backlog(record: str) -> str:
    report = BacklogReport.model_validate_json(record)
    table = backlog_table(report)
    said = _said(report.command, table.title, report.origin)
    return f"{table.markdown()}\n\n{verdict_table(report).markdown()}\n\n{said}"


def _reserve(record: str) -> str:
    report = ReserveReport.model_validate_json(record)
    table = reserve_table(report)
    return f"{table.markdown()}\n\n{_said(report.command, table.title, report.origin)}"


def _routing(record: str) -> str:
    report = RoutingReport.model_validate_json(record)
    table = routing_table(report)
    said = _said(report.command, table.title, report.origin)
    return f"{table.markdown()}\n\n{verdict_table(report).markdown()}\n\n{said}"


def _waves(record: str) -> str:
    report = WavesReport.model_validate_json(record)
    table = waves_table(report)
    return f"{table.markdown()}\n\n{_said(report.command, table.title, report.origin)}"


def _inventory(record: str) -> str:
    report = FeedReport.model_validate_json(record)
    table = feed_table(report)
    return f"{table.markdown()}\n\n{_said(report.command, table.title, report.origin)}"


def _printed(record: str) -> str:
    printed = Printed.model_validate_json(record)
    shown = "\n".join(f"    {line}".rstrip() for line in (printed.command, "", *printed.lines))
    return f"{shown}\n\n{provenance(printed.origin)}"


def _said(command: str, plan: str, origin: Origin) -> str:
    return f"`{command}` ({plan}). {provenance(origin)}"


BLOCKS: Mapping[str, Callable[[str], str]] = {
    "benchmark": _benchmark,
    "backlog": _backlog,
    "reserve": _reserve,
    "routing": _routing,
    "waves": _waves,
    "inventory": _inventory,
    "demo": _printed,
    "import": _printed,
    "size": _printed,
}
"""What each block makes of its record."""


def content(name: str, records: Path) -> str:
    """
    Return what stands in block *name*, made of its record in *records*.

    Raises:
        BlockUnknown: there is no such block.
    """
    if name not in BLOCKS:
        raise BlockUnknown(f"There is no block {name}; there are {', '.join(BLOCKS)}.", name=name)
    record = records / f"{name}.json"
    if not record.exists():
        return f"Not measured yet: `./run figures measure {name}`."
    return BLOCKS[name](record.read_text())


def fill(text: str, block: Callable[[str], str]) -> str:
    """
    Return *text* with every block's content replaced by what *block* returns for its name.

    Raises:
        BlockUnknown: one is not closed, or not known.
    """
    filled, count = _BLOCK.subn(lambda found: f"{found[1]}{block(found['name'])}\n{found[4]}", text)
    if count != text.count(_MARK):
        raise BlockUnknown(f"Of {text.count(_MARK)} blocks {count} are closed and have a name of small letters.")
    return filled


def without_blocks(text: str) -> str:
    """Return *text* without its blocks."""
    return _BLOCK.sub("", text)


def documents(root: Path) -> list[Path]:
    """Return the documents of the checkout at *root* that may have blocks."""
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]


def write(root: Path) -> list[Path]:
    """Write the recorded figures into all documents of the checkout at *root*; return those that changed."""
    changed: list[Path] = []
    for path in documents(root):
        text = path.read_text()
        filled = fill(text, lambda name: content(name, root / RECORDS))
        if filled != text:
            path.write_text(filled)
            changed.append(path)
    return changed
