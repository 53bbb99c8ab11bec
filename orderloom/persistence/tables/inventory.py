"""Locations, groups, stock counters and reservations. Counters change by one conditional statement each."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
)

from orderloom.persistence.tables.base import Document, Id, Instant, metadata

locations = Table(
    "locations",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False, server_default="warehouse"),
    Column("country", Text, nullable=False),
    Column("latitude", Float),
    Column("longitude", Float),
    Column("active", Boolean, nullable=False, server_default="true"),
    Column("traits", Document, nullable=False, server_default="{}"),  # domain.locations.LocationTraits
)

location_groups = Table("location_groups", metadata, Column("id", Id, primary_key=True))

location_group_members = Table(
    "location_group_members",
    metadata,
    Column("group_id", Id, ForeignKey("location_groups.id"), primary_key=True),
    Column("location_id", Id, ForeignKey("locations.id"), primary_key=True, index=True),
)

stock = Table(
    "stock",
    metadata,
    Column("location_id", Id, ForeignKey("locations.id"), primary_key=True),
    Column("sku", Id, ForeignKey("products.sku"), primary_key=True),
    Column("on_hand", Integer, nullable=False),
    Column("reserved", Integer, nullable=False, server_default="0"),
    Column("safety", Integer, nullable=False, server_default="0"),
    Column("future", Integer, nullable=False, server_default="0"),
    CheckConstraint("on_hand >= 0 AND reserved >= 0 AND safety >= 0 AND future >= 0", name="not_negative"),
)

group_stock = Table(
    "group_stock",
    metadata,
    # The sum of the members, kept in the same transactions; reserved holds the group's own and its members'.
    Column("group_id", Id, ForeignKey("location_groups.id"), primary_key=True),
    Column("sku", Id, ForeignKey("products.sku"), primary_key=True),
    Column("on_hand", Integer, nullable=False),
    Column("reserved", Integer, nullable=False, server_default="0"),
    Column("safety", Integer, nullable=False, server_default="0"),
    Column("future", Integer, nullable=False, server_default="0"),
    CheckConstraint("on_hand >= 0 AND reserved >= 0 AND safety >= 0 AND future >= 0", name="not_negative"),
)

reservations = Table(
    "reservations",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("order_id", Id, ForeignKey("orders.id"), nullable=False),
    Column("line_id", Id, nullable=False),
    Column("sku", Id, nullable=False),
    Column("group_id", Id, nullable=False),  # the group whose counter it is part of
    Column("location_id", Id),  # null while it is held at the group
    Column("fulfillment_order_id", Id),
    Column("quantity", Integer, nullable=False),
    Column("status", Text, nullable=False),  # active | transferred | fulfilled | released
    Column("created_at", Instant, nullable=False),
    CheckConstraint("quantity > 0", name="positive"),
    Index("ix_reservations_order", "order_id"),
    Index("ix_reservations_active", "sku", "location_id", postgresql_where="status = 'active'"),
)

stock_changes = Table(
    "stock_changes",
    metadata,
    # Every change of on hand, with its cause: a count, a restock, a shipment.
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("location_id", Id, nullable=False),
    Column("sku", Id, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("cause", Text, nullable=False),
    Column("at", Instant, nullable=False),
)
