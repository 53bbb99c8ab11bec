"""Durable workflows. No I/O and no order logic: what happens to an order is in flows."""
