"""Every run tries the same examples: a failure repeats, and nothing is random."""

from hypothesis import settings

settings.register_profile("house", derandomize=True, deadline=None, max_examples=100, database=None)
settings.load_profile("house")
