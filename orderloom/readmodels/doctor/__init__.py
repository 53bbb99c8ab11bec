"""Proves that the books are right: ledgers balance, reservations equal demand, documents equal their lines."""

from orderloom.readmodels.doctor.examination import CHECKS, Check, Finding, Findings, examine

__all__ = ["CHECKS", "Check", "Finding", "Findings", "examine"]
