"""Measures standard orders on servers of its own, beside the same work without the flow interpreter."""
