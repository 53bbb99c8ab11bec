"""`orders`: what an administrator does with orders as a whole."""

import sys

from cyclopts import App
from sqlalchemy import select

from orderloom.bootstrap import servers
from orderloom.bootstrap.delivery import Courier
from orderloom.bootstrap.servers import Connections
from orderloom.cli.importing import import_orders
from orderloom.cli.route_preview import route_preview
from orderloom.cli.running import run
from orderloom.cli.schedules import abandon, reschedule, route, schedules
from orderloom.cli.why import why
from orderloom.persistence.tables.orders import orders
from orderloom.settings import Settings

orders_app = App(name="orders", help="Orders as a whole.")
orders_app.command(import_orders, name="import")
orders_app.command(why)
orders_app.command(route_preview, name="route-preview")
orders_app.command(schedules)
orders_app.command(reschedule)
orders_app.command(route)
orders_app.command(abandon)

PAGE = 500


@orders_app.command
def revive() -> None:
    """
    Start the workflow of every open order that has none, from what PostgreSQL knows.

    For a lost Temporal database. Orders whose workflow runs are left alone, so it may be repeated.
    """
    settings = Settings()

    async def work() -> None:
        async with (
            servers.embedded(settings) as addresses,
            servers.connections(settings, addresses) as connected,
        ):
            sys.stdout.write(f"{await revive_all(connected)} open orders have a workflow\n")

    run(settings, work)


async def revive_all(connected: Connections) -> int:
    """Start the workflow of every open order that has none; return how many orders are open."""
    courier = Courier(connected.client, connected.engine)
    count, after = 0, ""
    while True:
        query = select(orders.c.id).where(orders.c.closed_at.is_(None), orders.c.id > after).order_by(orders.c.id)
        async with connected.engine.connect() as conn:
            page = list(await conn.scalars(query.limit(PAGE)))
        for order_id in page:
            await courier.revive(order_id)
        if len(page) < PAGE:
            return count + len(page)
        count, after = count + len(page), page[-1]
