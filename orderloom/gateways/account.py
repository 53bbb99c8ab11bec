"""Tender on account: our own books are the gateway, so nothing is asked of anyone."""

from orderloom.contracts.outside import GatewayOutcome, Outcome

ACCOUNT = "account"
"""The gateway name of payments that are settled in our own books."""


def settle_on_account(intent_id: str) -> GatewayOutcome:
    """Return the outcome of an intent on account: it succeeds at once and is its own reference."""
    return GatewayOutcome(intent_id=intent_id, outcome=Outcome.SUCCEEDED, reference=f"{ACCOUNT}:{intent_id}")
