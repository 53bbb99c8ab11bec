"""Lists by keyset: each page names the path of the next."""

from collections.abc import Sequence
from urllib.parse import urlencode


def after_path(
    path: str, after: str | int | None, limit: int, **filters: str | bool | Sequence[str] | None
) -> str | None:
    """Return the path of the page behind *after*, with the same *filters*; None when there is none."""
    if after is None:
        return None
    given = {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in filters.items()
        if value is not None
    }
    return f"{path}?{urlencode({**given, 'after': after, 'limit': limit}, doseq=True)}"
