"""
The ledger of money: what an order owes, what secures it, what was paid and given back.

A posting takes an amount out of one account and puts it into another, so that an order's accounts always sum to zero.
``customer`` and ``gateway`` are the counter-accounts; every other account is never below zero.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Annotated

from pydantic import Field

from orderloom.domain.model import Frozen
from orderloom.domain.payments import PaymentBalance


class Account(StrEnum):
    """The accounts of an order's money."""

    CUSTOMER = "customer"
    """Minus what the order comes to, credit memos not deducted."""
    ORDERED = "ordered"
    """Owed once it is shipped: not invoiced."""
    INVOICED = "invoiced"
    """Invoiced, less what was credited."""
    CREDITED = "credited"
    """Credited by credit memos."""
    GATEWAY = "gateway"
    """Minus what gateways (or our own books) authorised or captured, less what was reversed."""
    AUTHORISED = "authorised"
    """Authorised and neither captured nor reversed."""
    CAPTURED = "captured"
    """Captured and not applied to an invoice."""
    APPLIED = "applied"
    """Applied to an invoice and not refunded."""
    REFUNDED = "refunded"


class Posting(Frozen):
    """An amount in minor units that leaves account ``debit`` and enters account ``credit``."""

    debit: Account
    credit: Account
    amount: Annotated[int, Field(ge=0)]
    payment_id: str | None = None
    document_id: str | None = None
    """Invoice or credit memo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerBalance:
    """The sum of an account's entries for one payment and one document (None: entries without)."""

    account: Account
    amount: int
    payment_id: str | None = None
    document_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class OrderFunds:
    """An order's money as its ledger and its pending intents tell it; amounts in minor units."""

    entries: tuple[LedgerBalance, ...] = ()
    payments: tuple[PaymentBalance, ...] = ()
    pending_memo_refunds: dict[str, int] = field(default_factory=dict[str, int])
    """By credit memo: refunds that were asked for and have no answer."""

    def balance(self, account: Account, *, payment_id: str | None = None, document_id: str | None = None) -> int:
        """Return the balance of *account*: of the order, or of one payment or document of it."""
        if payment_id is None and document_id is None:
            return self._sums.get(account, 0)
        return sum(
            entry.amount
            for entry in self.entries
            if entry.account is account
            and payment_id in {None, entry.payment_id}
            and document_id in {None, entry.document_id}
        )

    @cached_property
    def _sums(self) -> dict[Account, int]:
        sums: dict[Account, int] = {}
        for entry in self.entries:
            sums[entry.account] = sums.get(entry.account, 0) + entry.amount
        return sums

    @property
    def ordered(self) -> int:
        """Return what is owed and not invoiced yet."""
        return self.balance(Account.ORDERED)

    @property
    def invoiced(self) -> int:
        """Return what was invoiced, less what was credited."""
        return self.balance(Account.INVOICED)

    @property
    def credited(self) -> int:
        """Return what was credited."""
        return self.balance(Account.CREDITED)

    @property
    def authorised(self) -> int:
        """Return what is authorised and neither captured nor reversed."""
        return self.balance(Account.AUTHORISED)

    @property
    def captured(self) -> int:
        """Return what is captured and not applied to an invoice."""
        return self.balance(Account.CAPTURED)

    @property
    def applied(self) -> int:
        """Return what is applied to invoices and not refunded."""
        return self.balance(Account.APPLIED)

    @property
    def refunded(self) -> int:
        """Return what was refunded."""
        return self.balance(Account.REFUNDED)

    def invoice_balance(self, invoice_id: str) -> int:
        """Return what of an invoice no funds are applied to yet."""
        return self._by_document(Account.INVOICED).get(invoice_id, 0) - self._by_document(Account.APPLIED).get(
            invoice_id, 0
        )

    @cached_property
    def unpaid(self) -> int:
        """Return what no funds are applied to yet, over all invoices."""
        applied = self._by_document(Account.APPLIED)
        return sum(
            total - applied.get(invoice_id, 0)
            for invoice_id, total in self._by_document(Account.INVOICED).items()
            if total > 0
        )

    def memo_balance(self, credit_memo_id: str) -> int:
        """Return what of a credit memo was neither refunded nor asked for."""
        credited = self.balance(Account.CREDITED, document_id=credit_memo_id)
        refunded = self.balance(Account.REFUNDED, document_id=credit_memo_id)
        return credited - refunded - self.pending_memo_refunds.get(credit_memo_id, 0)

    @property
    def excess(self) -> int:
        """Return what is captured beyond what the order owes and is not being refunded already."""
        return self.excess_after(0)

    def excess_after(self, cancelled: int) -> int:
        """Return what the excess would be if *cancelled* of what is owed and not invoiced were cancelled."""
        pending = sum(payment.pending_excess for payment in self.payments)
        return max(0, self.captured - pending - (self.ordered - cancelled) - self.unpaid)

    @property
    def refundable(self) -> int:
        """Return the excess and what of the credit memos is still to be refunded."""
        memos = self._by_document(Account.CREDITED)
        return self.excess + sum(self.memo_balance(memo) for memo in memos)

    @cached_property
    def to_authorize(self) -> int:
        """Return what nothing secures yet, as far as there are payments that can still be authorised."""
        secured = self.captured + sum(
            payment.authorised + payment.on_account + payment.pending_authorization - payment.pending_excess
            for payment in self.payments
        )
        missing = max(0, self.ordered + self.unpaid - secured)
        return min(missing, sum(payment.authorizable for payment in self.payments))

    @property
    def to_reverse(self) -> int:
        """Return what is authorised and can no longer be needed: 0 until all is invoiced and paid, or cancelled."""
        if self.ordered > 0 or self.unpaid > 0:
            return 0
        return sum(
            max(0, payment.authorised - payment.pending_capture - payment.pending_reverse) for payment in self.payments
        )

    @property
    def unauthorised(self) -> int:
        """Return what is to be authorised: asked for, it counts until the gateway has answered."""
        return self.to_authorize + sum(payment.pending_authorization for payment in self.payments)

    @property
    def unreversed(self) -> int:
        """Return what is to be reversed: asked for, it counts until the gateway has answered."""
        return self.to_reverse + sum(payment.pending_reverse for payment in self.payments)

    def _by_document(self, account: Account) -> dict[str, int]:
        return self._documents.get(account, {})

    @cached_property
    def _documents(self) -> dict[Account, dict[str, int]]:
        sums: dict[Account, dict[str, int]] = {}
        for entry in self.entries:
            if entry.document_id is not None:
                of = sums.setdefault(entry.account, {})
                of[entry.document_id] = of.get(entry.document_id, 0) + entry.amount
        return sums
