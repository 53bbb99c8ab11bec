"""What orders wait for, and the stock that is held for an order until its own action answers."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
)

from orderloom.persistence.tables.base import Document, Id, Instant, metadata

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

waves = Table(
    "waves",
    metadata,
    # One pass over the due orders of a routing pool. What it came to is null until it is over.
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("pool", Id, nullable=False),
    Column("at", Instant, nullable=False),
    Column("orders", Integer, nullable=False),  # that were due
    Column("routed", Integer),
    Column("partial", Integer),
    Column("unrouted", Integer),
    Column("left_over", Integer),  # got no proposal, since they were busy or stock had moved: for the next wave
    Column("splits", Integer),
    Index("ix_waves_pool", "pool", "id"),
    Index("ix_waves_at", "at"),
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
    Column("wave_id", BigInteger),  # null: stock has come in
    Column("answer", Document),  # domain.waves.Answer, until it has ended; null: there was nothing to route
    Index("uq_proposals_open", "order_id", unique=True, postgresql_where="status = 'open'"),
    Index("ix_proposals_ended", "ended_at", postgresql_where="ended_at IS NOT NULL"),
)

proposal_lines = Table(
    "proposal_lines",
    metadata,
    # Held as long as the proposal is open: quantity in the counters of the place, own in that of the order's group.
    Column(
        "proposal_id", BigInteger, ForeignKey("proposals.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
    Column("sku", Id, primary_key=True),
    Column("place", Id, primary_key=True),  # a location; for what is held at the group, the group
    Column("location_id", Id),  # null while it is held at the group
    Column("quantity", Integer, nullable=False),
    Column("own", Integer, nullable=False),  # units that the order had not reserved at its group before
    CheckConstraint("quantity > 0 AND own >= 0 AND own <= quantity", name="positive"),
    Index("ix_proposal_lines_place", "sku", "place"),
)

proposal_capacity = Table(
    "proposal_capacity",
    metadata,
    # Fulfillment orders that locations' days are held for as long as the proposal is open.
    Column(
        "proposal_id", BigInteger, ForeignKey("proposals.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
    Column("location_id", Id, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("count", Integer, nullable=False),
    CheckConstraint("count > 0", name="positive"),
)
