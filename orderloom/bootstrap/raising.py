"""What the doctor finds becomes a process exception, for a person to see and act on."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.persistence.exceptions import Raised, raise_found
from orderloom.persistence.vault import Vault
from orderloom.readmodels.doctor import CHECKS, Finding

SOURCE = "doctor"
_CLAIMS = {check.name: check.claim for check in CHECKS}
_CATEGORIES = {"money": "Payment", "payments": "Payment", "invoices": "Invoicing", "credit_memos": "Invoicing"}
"""By what the check's name begins with; all others are about fulfillment."""


async def raise_findings(engine: AsyncEngine, vault: Vault, findings: Iterable[Finding], now: datetime) -> int:
    """
    Raise a process exception for each finding whose last one is settled or that has none; return how many that were.

    One about an order appears there as soon as a relay records it.
    """
    raised = [await raise_found(engine, vault, finding.order, exception_of(finding), now) for finding in findings]
    return sum(raised)


def exception_of(finding: Finding) -> Raised:
    """Return the process exception that says what was found; the check and what it is about tell it from others."""
    return Raised(
        category=_CATEGORIES.get(finding.check.partition(".")[0], "Fulfillment"),
        code=f"doctor.{finding.check}",
        detail=f"{_CLAIMS[finding.check]} {finding.subject}: {finding.expected} expected, {finding.found} found.",
        attached_to=finding.subject,
        source=SOURCE,
    )
