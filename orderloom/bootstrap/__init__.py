"""Composition roots: clocks, databases, clients and embedded servers."""
