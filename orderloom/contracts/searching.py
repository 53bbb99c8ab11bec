"""The search for routes that is too long for an order's own worker."""

from orderloom.domain.model import Message

SEARCH_ROUTES = "search-routes"
"""Activity on queue ``routing``: ``SearchRoutes`` to nothing. What it finds is kept beside the question."""


class SearchRoutes(Message):
    """Names a question that a routing attempt has left in PostgreSQL."""

    order_id: str
    key: str
    """Of the action that asks."""
