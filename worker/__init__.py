"""Process entries: order worker, outside worker, relay."""
