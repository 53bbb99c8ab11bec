"""What a location's rejections count, and for how long."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from orderloom.domain.placing import FulfillmentReport
from orderloom.domain.rejections import FORGOTTEN, Rejection, RejectReason, score

NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)
WEEK = 7 * 86_400.0


def _rejected(ago: float, reason: RejectReason = RejectReason.OUT_OF_STOCK) -> Rejection:
    return Rejection(location="A", sku="X", reason=reason, at=NOW - timedelta(seconds=ago))


def test_a_rejection_counts_half_after_each_half_life() -> None:
    """New 1, a week later 1/2, two weeks later 1/4; together their sum."""
    assert score([_rejected(0)], NOW, WEEK) == 1.0
    assert score([_rejected(WEEK)], NOW, WEEK) == 0.5
    assert score([_rejected(0), _rejected(WEEK), _rejected(2 * WEEK)], NOW, WEEK) == 1.75
    assert score([], NOW, WEEK) == 0.0


def test_what_says_nothing_of_the_stock_counts_half() -> None:
    """Damaged, just sold and out of stock count 1, other reasons 0.5."""
    counted = {reason.value: score([_rejected(0, reason)], NOW, WEEK) for reason in RejectReason}

    assert counted == {
        "damaged": 1.0,
        "just_sold": 1.0,
        "other": 0.5,
        "out_of_packing_supplies": 0.5,
        "out_of_stock": 1.0,
    }


def test_old_rejections_are_forgotten() -> None:
    """At ten half-lives a thousandth is left; a second later nothing. One that is not there yet counts as new."""
    assert score([_rejected(FORGOTTEN * WEEK)], NOW, WEEK) == 0.000977
    assert score([_rejected(FORGOTTEN * WEEK + 1)], NOW, WEEK) == 0.0
    assert score([_rejected(-60)], NOW, WEEK) == 1.0


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Out of Stock", RejectReason.OUT_OF_STOCK),
        ("out-of-packing  supplies", RejectReason.OUT_OF_PACKING_SUPPLIES),
        ("just_sold", RejectReason.JUST_SOLD),
        ("Regal leer", RejectReason.OTHER),
        ("", RejectReason.OTHER),
        (None, None),
    ],
)
def test_a_location_spells_reasons_as_it_likes(said: str | None, reason: RejectReason | None) -> None:
    """Known reasons in any spelling, unknown ones as other: a location's report is never refused for its reason."""
    report = FulfillmentReport.model_validate({"id": "e1", "type": "rejected", "reason": said})

    assert report.reason is reason


def test_a_reason_that_is_no_text_is_refused() -> None:
    """A number is no reason in any spelling."""
    with pytest.raises(ValidationError):
        FulfillmentReport.model_validate({"id": "e1", "type": "rejected", "reason": 7})
