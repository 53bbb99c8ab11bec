"""Orderloom: orders as durable workflows, driven by flows in files."""
