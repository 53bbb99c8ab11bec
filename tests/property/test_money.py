"""Splitting money loses and invents nothing."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from orderloom.domain.money import format_amount, parse_amount, round_half_up, split

AMOUNTS = st.integers(-(10**12), 10**12)
WEIGHTS = st.lists(st.integers(0, 10**9), min_size=1, max_size=30)


@given(AMOUNTS, WEIGHTS)
def test_the_parts_are_the_whole(amount: int, weights: list[int]) -> None:
    """The parts of any amount add up to it, and none has the other sign."""
    parts = split(amount, weights)

    assert len(parts) == len(weights)
    assert sum(parts) == amount
    assert all(part * amount >= 0 for part in parts)


@given(AMOUNTS, WEIGHTS)
def test_a_refund_splits_like_its_charge(amount: int, weights: list[int]) -> None:
    """The parts of the negated amount are the negated parts."""
    assert split(-amount, weights) == [-part for part in split(amount, weights)]


@given(st.integers(0, 10**12), WEIGHTS.filter(any))
def test_largest_remainder(amount: int, weights: list[int]) -> None:
    """Each part is its exact share rounded down or up; those rounded up have the largest remainders, ties first."""
    shares = [Fraction(amount * weight, sum(weights)) for weight in weights]
    parts = split(amount, weights)

    up = [index for index, share in enumerate(shares) if parts[index] > share]
    by_remainder = sorted(range(len(shares)), key=lambda index: (-(shares[index] % 1), index))
    assert all(int(share) <= part <= int(share) + 1 for part, share in zip(parts, shares, strict=True))
    assert sorted(by_remainder[: len(up)]) == up


@given(AMOUNTS, st.sampled_from(["EUR", "JPY", "BHD", "CLF"]))
def test_amounts_are_read_as_they_are_written(amount: int, currency: str) -> None:
    """Formatting and parsing are each other's inverse in every exponent."""
    text, _, shown = format_amount(amount, currency).partition(" ")

    assert (parse_amount(text, currency), shown) == (amount, currency)


@given(st.decimals(-(10**9), 10**9, allow_nan=False, places=4))
def test_rounding_is_half_up_and_sign_symmetric(value: Decimal) -> None:
    """Nothing is rounded by more than a half, and a credit rounds like its charge."""
    assert abs(round_half_up(value) - value) <= Decimal("0.5")
    assert round_half_up(-value) == -round_half_up(value)
