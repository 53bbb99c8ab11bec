"""The sandbox gateway's books, in SQLite: every intent once, what is left of each authorisation, what is to be told."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, Field

from orderloom.contracts.outside import GatewayNotice, GatewayOperation, GatewayOutcome, GatewayRequest, Outcome
from orderloom.domain.model import Frozen
from orderloom.domain.money import Currency
from orderloom.gateways.sandbox.statement import Statement, read_statement

GOOD_TOKEN = "tok_ok"  # noqa: S105 - the public name of a test payment method, no secret
"""With this payment method everything succeeds."""

DECLINED_TOKEN = "tok_decline"  # noqa: S105 - the public name of a test payment method, no secret
"""Authorisations of this payment method are declined."""

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS holdings (
    reference TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    token TEXT NOT NULL,
    root TEXT NOT NULL,
    amount INTEGER NOT NULL,
    currency TEXT NOT NULL,
    expires_at TEXT
);
CREATE TABLE IF NOT EXISTS operations (
    intent_id TEXT PRIMARY KEY,
    operation TEXT NOT NULL,
    reference TEXT NOT NULL,
    amount INTEGER NOT NULL,
    currency TEXT NOT NULL,
    root TEXT,
    outcome TEXT NOT NULL,
    answer TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS notices (
    event_id TEXT PRIMARY KEY,
    notice TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS operations_reference ON operations (reference, operation, outcome);
"""


class HoldingKind(StrEnum):
    """What a reference stands for."""

    AUTHORIZATION = "authorization"
    CAPTURE = "capture"


class Given(Frozen):
    """What a channel did with the gateway at checkout, before the order was placed."""

    reference: str
    kind: HoldingKind
    token: str = GOOD_TOKEN
    amount: Annotated[int, Field(strict=True, gt=0)]
    currency: Currency
    now: AwareDatetime


class IntentReusedError(Exception):
    """An intent id was sent again with another operation, reference, amount or currency."""


@dataclass(frozen=True, kw_only=True)
class _Holding:
    kind: HoldingKind
    token: str
    root: str
    amount: int
    currency: str
    expires_at: datetime | None


class Books:
    """All that the sandbox gateway knows. Use it from one thread at a time."""

    def __init__(self, path: Path | str = ":memory:", *, authorization_days: float = 7.0) -> None:
        """Open or create the books at *path*; authorisations lapse after so many days of business time."""
        self._db = sqlite3.connect(str(path), check_same_thread=False, isolation_level=None)
        self._db.executescript(_SCHEMA)
        self._lifetime = timedelta(days=authorization_days)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def give(self, given: Given) -> None:
        """Write down what the channel did at checkout; a reference that is known already stays as it is."""
        expires_at = given.now + self._lifetime if given.kind is HoldingKind.AUTHORIZATION else None
        self._hold(
            given.reference,
            _Holding(
                kind=given.kind,
                token=given.token,
                root=given.reference,
                amount=given.amount,
                currency=given.currency,
                expires_at=expires_at,
            ),
        )

    def answer(self, intent_id: str) -> GatewayOutcome | None:
        """Return the answer that an intent got, None if it was never seen."""
        row = self._db.execute("SELECT answer FROM operations WHERE intent_id = ?", (intent_id,)).fetchone()
        return None if row is None else GatewayOutcome.model_validate_json(row[0])

    def perform(self, request: GatewayRequest, *, decline: str | None = None) -> GatewayOutcome:
        """
        Do what *request* asks, once per intent id, and return the answer; asked again, return the same answer.

        Args:
            decline: refuse with this code, whatever the books say.

        Raises:
            IntentReusedError: the id was used for something else.
        """
        self._refuse_other_content(request)
        if (earlier := self.answer(request.intent_id)) is not None:
            return earlier
        code = decline or self._objection(request)
        outcome = self._failure(request, code) if code else self._success(request)
        holding = self._holding(request.reference)
        notice = _notice(request, outcome)
        with self._at_once():
            self._db.execute(
                "INSERT INTO operations VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    request.intent_id,
                    request.operation.value,
                    request.reference,
                    request.amount,
                    request.currency,
                    holding.root if holding else outcome.reference,
                    outcome.outcome.value,
                    outcome.model_dump_json(),
                ),
            )
            self._db.execute("INSERT INTO notices VALUES (?, ?)", (notice.event_id, notice.model_dump_json()))
        return outcome

    def untold(self) -> list[GatewayNotice]:
        """Return what is still to be told of operations, oldest first; it outlives the gateway's process."""
        rows = self._db.execute("SELECT notice FROM notices ORDER BY rowid")
        return [GatewayNotice.model_validate_json(notice) for (notice,) in rows]

    def notice(self, intent_id: str) -> GatewayNotice:
        """Return what is to be told of the intent that was performed just now."""
        query = "SELECT notice FROM notices WHERE event_id = ?"
        (notice,) = self._db.execute(query, (_event_id(intent_id),)).fetchone()
        return GatewayNotice.model_validate_json(notice)

    def told(self, notice: GatewayNotice) -> None:
        """Note that *notice* has not to be told any more."""
        self._db.execute("DELETE FROM notices WHERE event_id = ?", (notice.event_id,))

    @contextmanager
    def _at_once(self) -> Generator[None]:
        self._db.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def token(self, request: GatewayRequest) -> str | None:
        """Return the payment method that *request* is about, None if its reference is unknown."""
        if request.operation is GatewayOperation.AUTHORIZE:
            return request.reference
        holding = self._holding(request.reference)
        return holding.token if holding else None

    def statement(self) -> Statement:
        """Return the totals per currency, and a row for every authorisation and every capture without one."""
        return read_statement(self._db)

    def _refuse_other_content(self, request: GatewayRequest) -> None:
        row = self._db.execute(
            "SELECT operation, reference, amount, currency FROM operations WHERE intent_id = ?", (request.intent_id,)
        ).fetchone()
        content = (request.operation.value, request.reference, request.amount, request.currency)
        if row is not None and tuple(row) != content:
            raise IntentReusedError(request.intent_id)

    def _objection(self, request: GatewayRequest) -> str | None:
        if request.operation is GatewayOperation.AUTHORIZE:
            return "card_declined" if request.reference == DECLINED_TOKEN else None
        refund = request.operation is GatewayOperation.REFUND
        holding = self._holding(request.reference)
        if holding is None or (holding.kind is HoldingKind.CAPTURE) != refund:
            return "unknown_reference"
        if holding.currency != request.currency:
            return "currency_mismatch"
        if request.amount > holding.amount - self._used(request.reference):
            return "amount_exceeds_capture" if refund else "amount_exceeds_authorization"
        capture = request.operation is GatewayOperation.CAPTURE
        lapsed = holding.expires_at is not None and request.now >= holding.expires_at
        return "authorization_expired" if capture and lapsed else None

    def _success(self, request: GatewayRequest) -> GatewayOutcome:
        reference = f"{request.operation.value}:{request.intent_id}"
        authorized = request.operation is GatewayOperation.AUTHORIZE
        expires_at = request.now + self._lifetime if authorized else None
        source = self._holding(request.reference)
        if authorized or request.operation is GatewayOperation.CAPTURE:
            holding = _Holding(
                kind=HoldingKind.AUTHORIZATION if authorized else HoldingKind.CAPTURE,
                token=source.token if source else request.reference,
                root=source.root if source else reference,
                amount=request.amount,
                currency=request.currency,
                expires_at=expires_at,
            )
            self._hold(reference, holding)
        return GatewayOutcome(
            intent_id=request.intent_id, outcome=Outcome.SUCCEEDED, reference=reference, expires_at=expires_at
        )

    def _failure(self, request: GatewayRequest, code: str) -> GatewayOutcome:
        return GatewayOutcome(intent_id=request.intent_id, outcome=Outcome.FAILED, code=code)

    def _hold(self, reference: str, holding: _Holding) -> None:
        self._db.execute(
            "INSERT INTO holdings VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (
                reference,
                holding.kind.value,
                holding.token,
                holding.root,
                holding.amount,
                holding.currency,
                holding.expires_at.isoformat() if holding.expires_at else None,
            ),
        )

    def _holding(self, reference: str) -> _Holding | None:
        row = self._db.execute(
            "SELECT kind, token, root, amount, currency, expires_at FROM holdings WHERE reference = ?", (reference,)
        ).fetchone()
        if row is None:
            return None
        kind, token, root, amount, currency, expires_at = row
        return _Holding(
            kind=HoldingKind(kind),
            token=token,
            root=root,
            amount=amount,
            currency=currency,
            expires_at=datetime.fromisoformat(expires_at) if expires_at else None,
        )

    def _used(self, reference: str) -> int:
        row = self._db.execute(
            "SELECT COALESCE(SUM(amount), 0) FROM operations WHERE reference = ? AND outcome = ?",
            (reference, Outcome.SUCCEEDED.value),
        ).fetchone()
        return int(row[0])


def _notice(request: GatewayRequest, outcome: GatewayOutcome) -> GatewayNotice:
    assert outcome.outcome is not Outcome.UNKNOWN, "the gateway knows its own books"
    return GatewayNotice(
        event_id=_event_id(request.intent_id),
        intent_id=request.intent_id,
        operation=request.operation,
        outcome=outcome.outcome,
        reference=outcome.reference,
        code=outcome.code,
        expires_at=outcome.expires_at,
        amount=request.amount,
        currency=request.currency,
    )


def _event_id(intent_id: str) -> str:
    return f"evt-{intent_id}"
