"""All tables, by area. Importing this package fills ``metadata``."""

from orderloom.persistence.tables import (
    catalog,
    fulfillment,
    intake,
    inventory,
    ledgers,
    operations,
    orders,
    payments,
    persons,
    places,
    waiting,
)
from orderloom.persistence.tables.base import metadata

__all__ = [
    "catalog",
    "fulfillment",
    "intake",
    "inventory",
    "ledgers",
    "metadata",
    "operations",
    "orders",
    "payments",
    "persons",
    "places",
    "waiting",
]
