"""The embedded Temporal server is a guest on its machine."""

import os
from pathlib import Path

import pytest

from orderloom.bootstrap.embedded_temporal import EmbeddedTemporal


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="only Linux tells with what a process was started")
async def test_it_leaves_half_of_the_processors_to_others(temporal: EmbeddedTemporal) -> None:
    """Its Go runtime has half of the processors, at least one, unless the environment says otherwise."""
    pairs = Path(f"/proc/{temporal.pid}/environ").read_text().split("\0")
    environment = dict(pair.split("=", 1) for pair in pairs if "=" in pair)

    half = str(max(1, len(os.sched_getaffinity(0)) // 2))
    assert environment["GOMAXPROCS"] == os.environ.get("GOMAXPROCS", half)
    assert environment["GOGC"] == os.environ.get("GOGC", "300")
