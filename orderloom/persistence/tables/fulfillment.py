"""Routing schedules and attempts, fulfillment orders and their lines."""

from sqlalchemy import BigInteger, Column, Date, ForeignKey, Index, Integer, Table, Text

from orderloom.persistence.tables.base import Document, Id, Instant, metadata

routing_schedules = Table(
    "routing_schedules",
    metadata,
    Column("order_id", Id, ForeignKey("orders.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("status", Text, nullable=False),  # scheduled | completed | abandoned
    Column("reason", Text, nullable=False),
    Column("scheduled_at", Instant, nullable=False),  # frozen once the status is not scheduled
    Column("ended_at", Instant),
    Column("pool", Id),  # the routing pool that it waits in; null: the order is routed by itself
    Column("due_at", Instant),  # with a pool: when a wave may take it, the date or when something woke the order
    Column("wave_by", Instant),  # with a pool: when the wave is due that takes it
    Index("ix_routing_schedules_status", "status", "scheduled_at", "order_id", "number"),
    Index(
        "ix_routing_schedules_pool",
        "pool",
        "due_at",
        postgresql_where="status = 'scheduled' AND pool IS NOT NULL",
    ),
)

routing_attempts = Table(
    "routing_attempts",
    metadata,
    Column("order_id", Id, ForeignKey("orders.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("schedule", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("answer", Document, nullable=False),  # domain.parts.Routing: by part plan, bound, proof, reasons
    Column("at", Instant, nullable=False),
    Column("policy", Text, nullable=False, server_default="default:1.0.0"),  # name:version that it followed
    Column("policy_hash", Text),  # of what that policy said; null of attempts before it was kept
    Column("seen", Document),  # domain.situation.Situation; null of attempts before there were policies
    Column("fates", Document),  # domain.router.Attempted.fates: what became of each location, by part
    Column("wave_id", BigInteger),  # the wave that found it, kept for a time; null: the order itself
    Index("ix_routing_attempts_at", "at", "order_id", "number"),
)

routing_searches = Table(
    "routing_searches",
    metadata,
    # A question that is too long for the order's own worker, until the attempt that asks it has taken the answer.
    Column("order_id", Id, ForeignKey("orders.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("policy", Document, nullable=False),  # domain.routing_policy.RoutingPolicy
    Column("situation", Document, nullable=False),  # domain.situation.Situation
    Column("attempted", Document),  # domain.router.Attempted
    Column("at", Instant, nullable=False),
)

fulfillment_orders = Table(
    "fulfillment_orders",
    metadata,
    Column("id", Id, primary_key=True),
    Column("order_id", Id, ForeignKey("orders.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("delivery_group_id", Id, nullable=False),
    Column("location_id", Id, ForeignKey("locations.id")),  # null for what is digital
    Column("kind", Text, nullable=False, server_default="warehouse"),  # warehouse | pickup | dropship | digital
    Column("status", Text, nullable=False),  # allocated | accepted | picked | fulfilled | rejected | cancelled
    Column("attempt", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("hold_reason", Text),  # set while it is not to be worked on
    Column("capacity_day", Date),  # the day that it counts on where it is; null: the location has no capacity
    Column("successor_id", Id),  # the one that has its units now: it was moved, or merged into that one
    Index("uq_fulfillment_orders_number", "order_id", "number", unique=True),
    Index("ix_fulfillment_orders_location", "location_id", "status", "id"),
    Index("ix_fulfillment_orders_unaccepted", "created_at", postgresql_where="status = 'allocated'"),
)

fulfillment_order_lines = Table(
    "fulfillment_order_lines",
    metadata,
    # Quantities of now are in the units ledger; this keeps what was asked and what was turned down.
    Column("fulfillment_order_id", Id, ForeignKey("fulfillment_orders.id"), primary_key=True),
    Column("line_id", Id, primary_key=True),
    Column("original_quantity", Integer, nullable=False),
    Column("rejected_quantity", Integer, nullable=False, server_default="0"),
    Column("reject_reason", Text),
)
