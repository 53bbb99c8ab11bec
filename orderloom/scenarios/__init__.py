"""Scenarios: what the system must do, as YAML, run against the real servers. Decides nothing about orders."""
