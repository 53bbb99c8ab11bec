"""What PostgreSQL says when transactions are in each other's way, and when one is at fault itself."""

from collections.abc import Awaitable, Callable

from sqlalchemy.exc import DBAPIError

TRIES = 5
"""Of a transaction that PostgreSQL broke off in favour of another one."""
_BROKEN_OFF = frozenset({"40001", "40P01"})
"""Serialization failure, deadlock: nothing happened, and the other transaction goes on."""
_AT_FAULT = ("22", "23")
"""Classes of errors that the data has: wrong values, broken constraints."""


async def tried[R](transaction: Callable[[], Awaitable[R]]) -> R:
    """Run *transaction*, which begins and commits itself; again if it was broken off in favour of another one."""
    for _ in range(TRIES - 1):
        try:
            return await transaction()
        except DBAPIError as error:
            if _state(error) not in _BROKEN_OFF:
                raise
    return await transaction()


def is_at_fault(error: Exception) -> bool:
    """Return whether *error* is the transaction's own, rather than one of the server or of the connection to it."""
    return not isinstance(error, DBAPIError | OSError) or _state(error).startswith(_AT_FAULT)


def _state(error: Exception) -> str:
    return str(getattr(getattr(error, "orig", None), "sqlstate", None) or "")
