"""What stands in the database: a statement that writes anything shows."""

from sqlalchemy import text

from tests.workflows.shop import Shop

_UNPUBLISHED = text("SELECT COUNT(*) FROM outbox WHERE position IS NULL")
_TABLES = text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")


async def state(shop: Shop) -> list[tuple[str, int, int]]:
    """Return of each table how many rows it has, and the newest transaction in it, once the relay is through."""

    async def published() -> bool | None:
        async with shop.stack.engine.connect() as conn:
            return await conn.scalar(_UNPUBLISHED) == 0 or None

    await shop.until(published, lambda: "all journal entries are published")
    found: list[tuple[str, int, int]] = []
    async with shop.stack.engine.connect() as conn:
        for name in (await conn.execute(_TABLES)).scalars().all():
            query = text(f"SELECT COUNT(*), COALESCE(MAX(xmin::text::bigint), 0) FROM {name}")
            count, newest = (await conn.execute(query)).one()
            found.append((str(name), int(count), int(newest)))
    return found
