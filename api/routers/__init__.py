"""The endpoints, by area."""
