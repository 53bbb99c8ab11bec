"""The demo: a small world, 200 orders of every kind, and everyone outside who has a part in them."""
