"""Durations as text and as objects."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows_dsl.durations import NotDuration, duration, iso_duration


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("PT15M", timedelta(minutes=15)),
        ("P2DT1H", timedelta(days=2, hours=1)),
        ("P1W", timedelta(weeks=1)),
        ("PT0.5S", timedelta(milliseconds=500)),
        ("PT0S", timedelta(0)),
        ({"minutes": 15, "seconds": 1}, timedelta(minutes=15, seconds=1)),
        ({"milliseconds": 5}, timedelta(milliseconds=5)),
    ],
)
def test_durations_are_read(value: object, expected: timedelta) -> None:
    """ISO 8601 text and objects of units say how long."""
    assert duration(value) == expected


@pytest.mark.parametrize(
    "value",
    ["", "P", "PT", "P1DT", "P1M", "P1Y", "15m", "-PT1S", "PT1H ", "P99999D", {}, {"years": 1}, {"days": -1},
     {"days": True}, {"days": "1"}, 5, None, [], {"days": 10**12}],
)  # fmt: skip
def test_what_is_no_duration_is_refused(value: object) -> None:
    """Months and years vary in length; negative, empty and endless durations mean nothing."""
    with pytest.raises(NotDuration):
        duration(value)


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=1000)))
def test_durations_survive_as_text(value: timedelta) -> None:
    """A duration written as text is read as the same duration."""
    assert duration(iso_duration(value)) == value
