"""Core actions, one module per area: each runs as one transaction or one call to the outside."""
