"""What may be sold ahead, and what of it still waits for stock."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from orderloom.domain.order import Line
from orderloom.domain.sell_ahead import REFUSED, UNBOUNDED, SellAhead, backordered, terms
from orderloom.domain.units import Account, Pool, UnitState

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def line(id: str, sku: str, sold_ahead: int) -> Line:
    return Line(
        id=id,
        position=1,
        kind="product",
        sku=sku,
        delivery_group="1",
        quantity=9,
        unit_price=1,
        line_amount=9,
        adjustment=0,
        tax=0,
        tax_category="standard",
        sold_ahead=sold_ahead,
    )


def pool(line_id: str, state: UnitState, quantity: int) -> Pool:
    return Pool(line_id=line_id, account=Account(state=state), quantity=quantity, amount=0, tax=0)


def test_backorders_end_at_their_time() -> None:
    """They are allowed a second before, and not from then on; without a time they never end."""
    policy = SellAhead(backorder=True, until=NOW)
    assert (policy.allows(NOW - SECOND), policy.allows(NOW)) == (True, False)
    assert SellAhead(backorder=True).allows(NOW)
    assert not SellAhead(release_at=NOW).allows(NOW - SECOND)


def test_a_preorder_is_held_until_its_release() -> None:
    """What is ordered a second before the release is held until then, what is ordered then is not."""
    policy = SellAhead(release_at=NOW)
    assert (policy.holds_until(NOW - SECOND), policy.holds_until(NOW)) == (NOW, None)
    assert UNBOUNDED.holds_until(NOW) is None


@pytest.mark.parametrize("bound", [{"limit": 1}, {"until": NOW}])
def test_bounds_without_a_backorder_are_refused(bound: dict[str, object]) -> None:
    """A limit or a time that bounds nothing is a slip."""
    with pytest.raises(ValidationError, match="bound a backorder"):
        SellAhead.model_validate(bound)


def test_a_skus_policy_goes_before_the_channels_word() -> None:
    """With a policy it is that, without one the channel accepts or refuses."""
    given = SellAhead(backorder=True, limit=1)
    assert (terms(given, "refuse"), terms(None, "refuse"), terms(None, "accept")) == (given, REFUSED, UNBOUNDED)


def test_what_waits_is_no_more_than_was_sold_ahead_and_no_more_than_is_open() -> None:
    """Reserved units wait for nothing; open ones that were not sold ahead are not counted."""
    lines = [line("1", "X", 4), line("2", "X", 2), line("3", "Y", 0), line("4", "Z", 3)]
    pools = [
        pool("1", UnitState.OPEN, 3),
        pool("1", UnitState.RESERVED, 6),
        pool("2", UnitState.OPEN, 9),
        pool("3", UnitState.OPEN, 9),
        pool("4", UnitState.ALLOCATED, 9),
    ]
    assert backordered(lines, pools) == {"X": 5}
