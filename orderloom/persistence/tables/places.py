"""What locations take in a day, and what they have turned down."""

from sqlalchemy import CheckConstraint, Column, Date, ForeignKey, Integer, Table

from orderloom.persistence.tables.base import Id, metadata

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
