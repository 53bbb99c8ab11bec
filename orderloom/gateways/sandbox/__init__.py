"""A payment gateway to play with: books of its own, webhooks, and faults on demand. It moves no real money."""

from orderloom.gateways.sandbox.app import create_gateway_app
from orderloom.gateways.sandbox.books import Books
from orderloom.gateways.sandbox.faults import Fault, FaultKind

__all__ = ["Books", "Fault", "FaultKind", "create_gateway_app"]
