"""What orders wait for, and the stock that is held for an order until its own action answers."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, ForeignKey, Identity, Index, Integer, Table, Text

from orderloom.persistence.tables.base import Id, Instant, metadata

stock_waits = Table(
    "stock_waits",
    metadata,
    # What the last routing attempt of an order left over, until the next attempt.
    Column("order_id", Id, ForeignKey("orders.id"), primary_key=True),
    Column("sku", Id, primary_key=True),
    Column("group_id", Id, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("quantity", Integer, nullable=False),  # units that are reserved nowhere
    Column("missing", Boolean, nullable=False),  # more of it may let the order be routed
    Column("partial", Boolean, nullable=False),  # the order takes less, too
    CheckConstraint("quantity >= 0", name="not_negative"),
    Index("ix_stock_waits_missing", "sku", "group_id", postgresql_where="missing"),
)

proposals = Table(
    "proposals",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("order_id", Id, ForeignKey("orders.id"), nullable=False),
    Column("group_id", Id, nullable=False),
    Column("status", Text, nullable=False),  # open | accepted | released | lapsed
    Column("told", Boolean, nullable=False, server_default="false"),  # the order has the event in its intake
    Column("made_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Index("uq_proposals_open", "order_id", unique=True, postgresql_where="status = 'open'"),
)

proposal_lines = Table(
    "proposal_lines",
    metadata,
    # Held as long as the proposal is open: quantity in the counters of the place, own in that of the order's group.
    Column("proposal_id", BigInteger, ForeignKey("proposals.id"), primary_key=True, autoincrement=False),
    Column("sku", Id, primary_key=True),
    Column("place", Id, primary_key=True),  # a location; for what is held at the group, the group
    Column("location_id", Id),  # null while it is held at the group
    Column("quantity", Integer, nullable=False),
    Column("own", Integer, nullable=False),  # units that the order had not reserved at its group before
    CheckConstraint("quantity > 0 AND own >= 0 AND own <= quantity", name="positive"),
    Index("ix_proposal_lines_place", "sku", "place"),
)
