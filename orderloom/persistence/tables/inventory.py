"""Locations, groups, stock counters and reservations. Counters change by one conditional statement each."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
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
    Column("counted_at", Instant),  # the latest count that was taken of it
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
    # An order's line, or a request of its own: one of the two.
    Column("order_id", Id, ForeignKey("orders.id")),
    Column("line_id", Id),
    Column("request_id", Id, ForeignKey("reservation_requests.id")),
    Column("sku", Id, nullable=False),
    Column("group_id", Id),  # the group that it is held at, or that the order's location was chosen from
    Column("location_id", Id),  # null while it is held at the group
    Column("fulfillment_order_id", Id),
    Column("quantity", Integer, nullable=False),
    Column("status", Text, nullable=False),  # active | transferred | ordered | fulfilled | released | expired
    Column("created_at", Instant, nullable=False),
    CheckConstraint("quantity > 0", name="positive"),
    CheckConstraint("(order_id IS NULL) <> (request_id IS NULL)", name="one_owner"),
    Index("ix_reservations_order", "order_id"),
    Index("ix_reservations_request", "request_id", postgresql_where="request_id IS NOT NULL"),
    Index("ix_reservations_active", "order_id", postgresql_where="status = 'active'"),
)

backorders = Table(
    "backorders",
    metadata,
    # Units that were sold ahead and still wait for stock, by the channel that sold them.
    Column("channel_id", Id, primary_key=True),
    Column("sku", Id, primary_key=True),
    Column("quantity", Integer, nullable=False),
    CheckConstraint("quantity >= 0", name="not_negative"),
)

stock_changes = Table(
    "stock_changes",
    metadata,
    # Every change of on hand or of safety stock, with its cause: a count, a restock, a shipment.
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("location_id", Id, nullable=False),
    Column("sku", Id, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("cause", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("safety", Integer, nullable=False, server_default="0"),
    Index("ix_stock_changes_shelf", "location_id", "sku", "at"),
)

reservation_requests = Table(
    "reservation_requests",
    metadata,
    # Reservations that belong to no order; what they hold are rows of reservations.
    Column("id", Id, primary_key=True),  # the idempotency key that it was asked for with
    Column("owner", Id, nullable=False, index=True),
    Column("reference", Text, nullable=False),
    Column("promise", Text, nullable=False),  # ato | atf
    Column("status", Text, nullable=False),  # active | ordered | fulfilled | released | expired
    Column("expires_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("channel_id", Id),  # whose orders may take it over
    Column("order_id", Id),  # the one that did
    Index("ix_reservation_requests_expiring", "expires_at", postgresql_where="status = 'active'"),
)

inventory_requests = Table(
    "inventory_requests",
    metadata,
    # Changes of stock that were asked for, by idempotency key, with their answer.
    Column("key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("answer", Document),
    Column("at", Instant, nullable=False),
)

expected_receipts = Table(
    "expected_receipts",
    metadata,
    # Future stock: what is on its way to a location. Its sum is the location's counter.
    Column("id", Id, primary_key=True),
    Column("location_id", Id, nullable=False),
    Column("sku", Id, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("expected_at", Instant),  # null: not known
    CheckConstraint("quantity > 0", name="positive"),
    ForeignKeyConstraint(["location_id", "sku"], ["stock.location_id", "stock.sku"]),
    Index("ix_expected_receipts_stock", "location_id", "sku", "expected_at"),
)

inventory_feeds = Table(
    "inventory_feeds",
    metadata,
    # How far feeds have come: sent again, they go on there.
    Column("id", Id, primary_key=True),
    Column("lines", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),  # SHA-256 of those lines
    Column("at", Instant, nullable=False),
)
