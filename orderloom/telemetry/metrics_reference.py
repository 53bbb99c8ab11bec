"""
Prints ``docs/reference/metrics.md``: every number that Orderloom counts, from the code itself.

``python -m orderloom.telemetry.metrics_reference > docs/reference/metrics.md`` writes it anew; a test compares.
"""

import sys
from collections.abc import Iterable

from orderloom.telemetry.numbers import BUCKETS, COUNTED, LEFT_LYING, Number

_HEAD = """# Metrics

<!-- Printed by `python -m orderloom.telemetry.metrics_reference`: change the code, not this file. -->

Every process with `ORDERLOOM_MONITOR_PORT` set answers `GET /metrics` in Prometheus' text format: the numbers below,
the process's own (`process_…`) and those of the Temporal SDK (`temporal_…`, documented by Temporal). No label holds an
order's number or anything of a person. How to use them: [observe](../how-to/observe.md).
"""
_TABLE = """| name | kind | labels | what it says |
|---|---|---|---|"""


def reference() -> str:
    """Return the page."""
    bounds = ", ".join(f"{bound:g}" for bound in BUCKETS)
    return "\n".join(
        [
            _HEAD,
            "## What each process counts of its own work",
            f"Histograms have `_count`, `_sum` and `_bucket`, with these bounds in seconds: {bounds}.",
            "",
            *_table(COUNTED),
            "",
            "## What has been left lying",
            "Read from PostgreSQL when it is asked for, by the relay that leads: the others tell nothing of it.",
            "",
            *_table(LEFT_LYING),
            "",
        ]
    )


def _table(numbers: Iterable[Number]) -> list[str]:
    return [_TABLE, *map(_row, numbers)]


def _row(number: Number) -> str:
    labels = " ".join(f"`{label}`" for label in number.labels)
    return f"| `{number.name}` | {number.kind} | {labels} | {number.says} |"


if __name__ == "__main__":
    sys.stdout.write(reference())
