"""What locations take in a day, and what they have turned down."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Date, ForeignKey, Identity, Index, Integer, Table, Text

from orderloom.persistence.tables.base import Id, Instant, metadata

location_capacity = Table(
    "location_capacity",
    metadata,
    # Of locations with a capacity only. Changes by one conditional statement (persistence.capacity).
    Column("location_id", Id, ForeignKey("locations.id"), primary_key=True),
    Column("day", Date, primary_key=True),  # of the location's calendar
    Column("held", Integer, nullable=False, server_default="0"),
    Column("assigned", Integer, nullable=False, server_default="0"),
    CheckConstraint("held >= 0 AND assigned >= 0", name="not_negative"),
)

location_rejections = Table(
    "location_rejections",
    metadata,
    # What a location turned down of a line, with each report that did; routing may count it against the location.
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("location_id", Id, ForeignKey("locations.id"), nullable=False),
    Column("sku", Id, nullable=False),
    Column("fulfillment_order_id", Id, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("reason", Text, nullable=False),  # domain.rejections.RejectReason
    Column("at", Instant, nullable=False),
    Column("forgotten_at", Instant),  # a person let it count no more
    Index("ix_location_rejections_recent", "location_id", "sku", "at", postgresql_where="forgotten_at IS NULL"),
)
