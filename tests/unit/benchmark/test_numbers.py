"""What is made of measurements: percentiles, spreads, lateness, pauses."""

from orderloom.benchmark.backlog_report import lateness, longest_pause
from orderloom.benchmark.spread import Percentiles, Spread, percentile


def test_a_percentile_is_one_of_the_values() -> None:
    """It is the smallest value that so many do not exceed, never one that nobody measured."""
    values = [float(number) for number in range(100, 0, -1)]

    assert Percentiles.of(values) == Percentiles(p50=50.0, p95=95.0, p99=99.0)
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([3.0, 1.0], 0.5) == 1.0
    assert percentile([7.0], 0.99) == 7.0


def test_a_spread_has_the_middle_and_both_ends() -> None:
    """Of an even number of values the middle lies between two of them."""
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(median=2.0, least=1.0, most=3.0)
    assert Spread.of([1.0, 2.0]) == Spread(median=1.5, least=1.0, most=2.0)


def test_nobody_is_late_when_orders_end_in_turn() -> None:
    """First in, first out has no lateness, however slow or uneven it is."""
    assert lateness([1.0, 2.0, 50.0, 51.0]) == 0.0


def test_who_is_overtaken_is_late() -> None:
    """The first of four ends last: its turn was the first end."""
    assert lateness([9.0, 1.0, 2.0, 3.0]) == 8.0


def test_a_pause_counts_from_the_beginning() -> None:
    """The longest time without an end may be the one before the first, and the order of the values is no matter."""
    assert longest_pause([7.0, 5.0, 6.0]) == 5.0
    assert longest_pause([1.0, 9.0, 2.0]) == 7.0
