"""Connections to PostgreSQL, and its migrations."""

from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import URL, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from orderloom.persistence.migrate import upgrade

SERVER_SETTINGS = {
    "timezone": "UTC",
    "lock_timeout": "2000",
    "statement_timeout": "3000",
    "application_name": "orderloom",
    "plan_cache_mode": "force_generic_plan",
    "random_page_cost": "1.1",
}
"""
Milliseconds: a statement that takes longer fails, and its activity is tried again.

PostgreSQL looks for deadlocks after a second: a lock is waited for longer, or each would look like any long wait.

A connection plans a statement once, maybe while its tables are small: keys have to be looked up then as well. With the
default, made for disks that seek, small tables are rather read through, and the plan stays while they grow.
"""
SILENCE = 5.0
"""Seconds without an answer after which a connection is given up: any statement has failed by then."""
PREPARED = 500
"""Statements that a connection keeps prepared: all that there are."""


def sqlalchemy_url(url: str) -> URL:
    """Return *url* (``postgresql://`` or ``postgres://``) with the driver that Orderloom uses."""
    return make_url(url).set(drivername="postgresql+asyncpg")


def create_engine(url: str, *, pool_size: int = 10, pooled: bool = True) -> AsyncEngine:
    """
    Return an engine whose sessions think in UTC and give up on locks after two seconds, on statements after three.

    A pooled connection that does not answer is given up after ``SILENCE``, and with it all that were made before.
    """
    pool = {"pool_size": pool_size, "max_overflow": 0, "pool_pre_ping": False} if pooled else {"poolclass": NullPool}
    arguments: dict[str, Any] = {"server_settings": SERVER_SETTINGS, "prepared_statement_cache_size": PREPARED}
    engine = create_async_engine(
        sqlalchemy_url(url),
        hide_parameters=True,
        connect_args=arguments | ({"command_timeout": SILENCE} if pooled else {}),
        json_serializer=_json,
        json_deserializer=from_json,
        **pool,
    )
    event.listen(engine.sync_engine, "handle_error", _give_up)
    return engine


def _give_up(context: ExceptionContext) -> None:
    """Take one connection's silence for that of all: each would be found out at the cost of a statement."""
    if isinstance(context.original_exception, TimeoutError):
        context.invalidate_pool_on_disconnect = True


def _json(value: Any) -> str:
    return to_json(value).decode()


async def migrate(url: str, keys_url: str) -> None:
    """Bring the database at *url* and the keys database at *keys_url* to the schema that this version needs."""
    await upgrade(url, keys_url)
