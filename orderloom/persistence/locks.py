"""The numbers of PostgreSQL's advisory locks, in one place so that no two purposes share one."""

MIGRATION = 7_046_029_254_386_353_130
"""Held while the schema is brought up to date: processes that start at once wait for each other."""
KEYS = 7_046_029_254_386_353_131
"""The same for the keys database."""
RELAY_LEADER = 7_046_029_254_386_353_132
"""Held by the relay that leads, for as long as it does."""
