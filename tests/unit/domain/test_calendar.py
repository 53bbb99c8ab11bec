"""The day that a location's work belongs to: its own time zone, cut-off, closed weekdays and holidays."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orderloom.domain.calendar import Calendar, Weekday, business_day

_WEEKEND = (Weekday.SATURDAY, Weekday.SUNDAY)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "day"),
    [
        # Berlin is two hours ahead of UTC in summer, one in winter.
        ("2026-07-01T12:59:59", date(2026, 7, 1)),
        ("2026-07-01T13:00:00", date(2026, 7, 2)),
        ("2026-12-01T13:59:59", date(2026, 12, 1)),
        ("2026-12-01T14:00:00", date(2026, 12, 2)),
        # The clocks go forward on Sunday 29 March: the working day after Friday is Monday.
        ("2026-03-27T14:00:00", date(2026, 3, 30)),
        ("2026-03-30T12:59:59", date(2026, 3, 30)),
        ("2026-03-30T13:00:00", date(2026, 3, 31)),
    ],
)
def test_work_from_the_cut_off_on_is_the_next_working_days(now: str, day: date) -> None:
    """Before 15:00 in Berlin it is today's, from 15:00:00 on the next working day's, winter and summer."""
    berlin = Calendar(time_zone="Europe/Berlin", cut_off="15:00", closed=_WEEKEND)

    assert business_day(berlin, _at(now)) == day


def test_the_day_is_the_locations_not_the_servers() -> None:
    """At 23:30 UTC on 5 May it is 6 May in Tokyo and still 5 May in New York."""
    now = _at("2026-05-05T23:30:00")

    assert business_day(Calendar(time_zone="Asia/Tokyo"), now) == date(2026, 5, 6)
    assert business_day(Calendar(time_zone="America/New_York"), now) == date(2026, 5, 5)
    assert Calendar(time_zone="Asia/Tokyo").today(now) == date(2026, 5, 6)


def test_holidays_and_closed_days_are_left_out_one_after_the_other() -> None:
    """Taken on Thursday 24 December with the 25th a holiday and weekends closed: before the cut-off today, else 28."""
    calendar = Calendar(cut_off="12:00", closed=_WEEKEND, holidays=(date(2026, 12, 25),))

    assert business_day(calendar, _at("2026-12-24T11:59:00")) == date(2026, 12, 24)
    assert business_day(calendar, _at("2026-12-24T12:00:00")) == date(2026, 12, 28)
    assert business_day(calendar, _at("2026-12-25T09:00:00")) == date(2026, 12, 28)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"time_zone": "Europe/Atlantis"}, "calendar.time_zone_unknown"),
        ({"time_zone": "../etc/passwd"}, "calendar.time_zone_unknown"),
        ({"time_zone": "Europe"}, "calendar.time_zone_unknown"),
        ({"time_zone": ""}, "calendar.time_zone_unknown"),
        ({"cut_off": "24:00"}, "string_pattern_mismatch"),
        ({"cut_off": "9:00"}, "string_pattern_mismatch"),
        ({"closed": list(Weekday)}, "calendar.never_open"),
        ({"holidays": ["2026-02-30"]}, "date_from_datetime_parsing"),
    ],
)
def test_a_calendar_that_means_nothing_is_refused(given: dict[str, object], code: str) -> None:
    """Unknown time zones, times that no clock shows, and a week without a working day name what is wrong."""
    with pytest.raises(ValidationError) as caught:
        Calendar.model_validate(given)

    assert [error["type"] for error in caught.value.errors()] == [code]


@given(
    st.integers(1_577_836_800, 2_208_988_800).map(lambda at: datetime.fromtimestamp(at, UTC)),  # 2020 to 2039
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe"]),
    st.none() | st.times().map(lambda at: at.strftime("%H:%M")),
    st.sets(st.sampled_from(list(Weekday)), max_size=6),
    st.lists(st.dates(date(2020, 1, 1), date(2040, 2, 1)), max_size=20),
)
def test_the_day_is_the_first_that_can_be(
    now: datetime, zone: str, cut_off: str | None, closed: set[Weekday], holidays: list[date]
) -> None:
    """It is a working day, not before the location's today, and no working day after the cut-off lies before it."""
    calendar = Calendar(time_zone=zone, cut_off=cut_off, closed=tuple(closed), holidays=tuple(holidays))
    today = calendar.today(now)

    day = business_day(calendar, now)

    assert calendar.works_on(day)
    earlier = [date.fromordinal(ordinal) for ordinal in range(today.toordinal(), day.toordinal())]
    late = cut_off is not None and business_day(calendar.model_copy(update={"closed": (), "holidays": ()}), now) > today
    assert not any(calendar.works_on(each) for each in earlier[late:])
    assert day >= today
