"""The sandbox gateway keeps its books like a real one: every intent once, never more than there is."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from orderloom.contracts.outside import GatewayOperation, GatewayOutcome, Outcome
from orderloom.gateways.sandbox.books import Books, Given, HoldingKind, IntentReusedError

from .conftest import NOW, a_request

CAPTURE, REFUND, REVERSE = GatewayOperation.CAPTURE, GatewayOperation.REFUND, GatewayOperation.REVERSE


@pytest.fixture
def empty() -> Iterator[Books]:
    books = Books()
    yield books
    books.close()


@pytest.fixture
def books(empty: Books) -> Books:
    empty.give(Given(reference="auth-1", kind=HoldingKind.AUTHORIZATION, amount=9350, currency="EUR", now=NOW))
    return empty


def _code(outcome: GatewayOutcome) -> str | None:
    assert outcome.outcome is Outcome.FAILED
    return outcome.code


def test_an_authorisation_can_be_captured_in_parts_and_refunded(empty: Books) -> None:
    """Authorise 93.50, capture 60.50 and 33.00, refund 24.75 of the first: the statement says exactly that."""
    books = empty

    authorised = books.perform(a_request("T1"))
    first = books.perform(a_request("T2", CAPTURE, reference=str(authorised.reference), amount=6050))
    books.perform(a_request("T3", CAPTURE, reference=str(authorised.reference), amount=3300))
    books.perform(a_request("T4", REFUND, reference=str(first.reference), amount=2475))

    statement = books.statement()
    assert authorised.expires_at == NOW + timedelta(days=7)
    assert [row.model_dump() for row in statement.rows] == [
        {
            "reference": authorised.reference,
            "token": "tok_ok",
            "currency": "EUR",
            "authorised": 9350,
            "captured": 9350,
            "refunded": 2475,
            "reversed": 0,
            "captures": 2,
            "refunds": 1,
        }
    ]
    assert statement.totals["EUR"].model_dump() == {
        "authorised": 9350,
        "captured": 9350,
        "refunded": 2475,
        "reversed": 0,
    }


def test_the_same_intent_has_one_effect_and_one_answer(books: Books) -> None:
    """An intent that is sent three times captures once and is answered the same three times."""
    request = a_request("T1", CAPTURE, reference="auth-1", amount=5000)

    answers = [books.perform(request) for _ in range(3)]

    assert answers[0] == answers[1] == answers[2]
    assert books.statement().totals["EUR"].captured == 5000
    assert books.statement().rows[0].captures == 1


def test_an_intent_cannot_be_used_for_something_else(books: Books) -> None:
    """The id of an intent with another amount is refused and changes nothing."""
    books.perform(a_request("T1", CAPTURE, reference="auth-1", amount=5000))

    with pytest.raises(IntentReusedError):
        books.perform(a_request("T1", CAPTURE, reference="auth-1", amount=4000))

    assert books.statement().totals["EUR"].captured == 5000


def test_no_more_is_captured_than_authorised_and_not_reversed(books: Books) -> None:
    """After reversing 24.75 of 93.50, a capture of 68.76 fails and one of 68.75 succeeds."""
    books.perform(a_request("T1", REVERSE, reference="auth-1", amount=2475))

    too_much = books.perform(a_request("T2", CAPTURE, reference="auth-1", amount=6876))
    all_of_it = books.perform(a_request("T3", CAPTURE, reference="auth-1", amount=6875))

    assert _code(too_much) == "amount_exceeds_authorization"
    assert all_of_it.outcome is Outcome.SUCCEEDED
    assert books.statement().totals["EUR"].reversed == 2475


def test_no_more_is_refunded_than_captured(books: Books) -> None:
    """Refunds of one capture end where the capture ends."""
    books.give(Given(reference="cap-1", kind=HoldingKind.CAPTURE, amount=3000, currency="EUR", now=NOW))

    books.perform(a_request("T1", REFUND, reference="cap-1", amount=2000))
    too_much = books.perform(a_request("T2", REFUND, reference="cap-1", amount=1001))

    assert _code(too_much) == "amount_exceeds_capture"
    assert books.statement().totals["EUR"].refunded == 2000


def test_an_authorisation_lapses_after_seven_days(books: Books) -> None:
    """A capture at the very end of the seventh day of business time fails; a second earlier it succeeds."""
    end = NOW + timedelta(days=7)

    late = books.perform(a_request("T1", CAPTURE, reference="auth-1", amount=100, now=end))
    last = books.perform(a_request("T2", CAPTURE, reference="auth-1", amount=100, now=end - timedelta(seconds=1)))

    assert _code(late) == "authorization_expired"
    assert last.outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    ("operation", "reference", "currency", "code"),
    [
        pytest.param(CAPTURE, "nobody", "EUR", "unknown_reference", id="unknown"),
        pytest.param(REFUND, "auth-1", "EUR", "unknown_reference", id="refund of an authorisation"),
        pytest.param(CAPTURE, "auth-1", "USD", "currency_mismatch", id="other currency"),
        pytest.param(GatewayOperation.AUTHORIZE, "tok_decline", "EUR", "card_declined", id="declined card"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_code(
    books: Books, operation: GatewayOperation, reference: str, currency: str, code: str
) -> None:
    """A refused operation moves nothing."""
    outcome = books.perform(a_request("T1", operation, reference=reference, amount=100, currency=currency))

    assert _code(outcome) == code
    assert books.statement().totals["EUR"].captured == 0


def test_books_outlive_the_process(tmp_path: Path) -> None:
    """Books in a file answer the same intent the same after they are opened again."""
    first = Books(tmp_path / "gateway.db")
    answer = first.perform(a_request("T1"))
    first.close()

    again = Books(tmp_path / "gateway.db")
    assert again.perform(a_request("T1")) == answer
    assert again.answer("T2") is None
    again.close()
