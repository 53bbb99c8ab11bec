"""Parties outside, one folder each, behind a port."""
