"""The page of the metrics is what the code says."""

from pathlib import Path

from orderloom.telemetry.metrics_reference import reference

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "metrics.md"


def test_the_page_is_what_the_code_says() -> None:
    """docs/reference/metrics.md is what ``python -m orderloom.telemetry.metrics_reference`` prints."""
    assert PAGE.read_text("utf-8") == reference()
