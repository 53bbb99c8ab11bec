"""What can go wrong with a benchmark."""

from orderloom.bootstrap.errors import StartRefused
from orderloom.domain.errors import OrderloomError


class ToolsMissing(StartRefused):
    """The benchmark needs packages that only the development group brings.

    Run it from a checkout with `./run benchmark`, or install psutil.
    """

    code = "benchmark.tools_missing"


class LoadFailed(OrderloomError):
    """The load generator gave up, so there is nothing to measure.

    Look at what it says; a machine that is busy with other work may need fewer orders at once.
    """

    code = "benchmark.load_failed"


class MeasuredSomethingElse(OrderloomError):
    """The orders that were measured are not what the figures would be about.

    Run `pytest tests/workflows/test_twin.py`: it shows where the twin and the order workflow part.
    """

    code = "benchmark.measured_something_else"
