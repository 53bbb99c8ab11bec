"""Breaks a deployment on purpose while orders are under way, and proves that nothing of them is lost."""
