"""The embedded Temporal server is a guest on its machine."""

import os

import psutil

from orderloom.bootstrap.embedded_temporal import EmbeddedTemporal


async def test_it_leaves_half_of_the_processors_to_others(temporal: EmbeddedTemporal) -> None:
    """Its Go runtime has half of the processors, at least one, unless the environment says otherwise."""
    environment = psutil.Process(temporal.pid).environ()

    half = str(max(1, (os.process_cpu_count() or 1) // 2))
    assert environment["GOMAXPROCS"] == os.environ.get("GOMAXPROCS", half)
    assert environment["GOGC"] == os.environ.get("GOGC", "300")
