"""Proves that the books are right: ledgers balance, reservations equal demand, documents equal their lines."""

from orderloom.readmodels.doctor.examination import CHECKS, Check, Finding, Findings, examine, examine_patiently
from orderloom.readmodels.doctor.stocks import ON_ITS_WAY

__all__ = ["CHECKS", "ON_ITS_WAY", "Check", "Finding", "Findings", "examine", "examine_patiently"]
