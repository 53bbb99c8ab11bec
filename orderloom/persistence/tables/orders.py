"""Orders: the immutable original, its change orders, its journal, and what its workflow is waiting for."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from orderloom.persistence.tables.base import Document, Id, Instant, Minor, metadata

orders = Table(
    "orders",
    metadata,
    Column("id", Id, primary_key=True),
    Column("channel_id", Id, ForeignKey("channels.id"), nullable=False),
    Column("external_id", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("life_cycle", Text, nullable=False, server_default="managed"),  # managed | unmanaged
    Column("ship_complete", Boolean, nullable=False, server_default="false"),  # no part goes out before all can
    Column("person_id", Id),  # the key to personal data; the data stands in persons
    Column("policy", Document, nullable=False),  # the channel's policy when it was placed
    Column("placed_at", Instant, nullable=False),
    Column("release", Text, nullable=False),
    Column("pin", Document, nullable=False),  # contracts.messages.ReleasePin
    Column("seq", BigInteger, nullable=False, server_default="0"),  # last number of the journal
    Column("wanted", ARRAY(Text), nullable=False),  # event types that wake the workflow
    Column("next_due_at", Instant),  # earliest deadline, business time
    Column("closed_at", Instant),  # the workflow has completed; a command revives it
    Column("routing_attempts", Integer, nullable=False, server_default="0"),
    Column("priority", Integer, nullable=False, server_default="0"),  # higher goes first where stock is scarce
    Index("uq_orders_external", "channel_id", "external_id", unique=True),
    Index("ix_orders_due", "next_due_at", postgresql_where="closed_at IS NULL"),
    Index("ix_orders_placed", "placed_at", "id"),
)

delivery_groups = Table(
    "delivery_groups",
    metadata,
    Column("order_id", Id, ForeignKey("orders.id"), primary_key=True),
    Column("id", Id, primary_key=True),
    Column("country", Text, nullable=False),
    Column("latitude", Float),  # rounded to 0.01 degree (about 1 km): routing needs no address
    Column("longitude", Float),
    Column("method", Text, nullable=False, server_default="standard"),
    Column("pickup_location_id", Id, ForeignKey("locations.id")),  # the only one that may fulfill, if there is one
)

order_lines = Table(
    "order_lines",
    metadata,
    Column("order_id", Id, ForeignKey("orders.id"), primary_key=True),
    Column("id", Id, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("kind", Text, nullable=False),  # product | delivery | fee | charge
    Column("sku", Id),  # null for what is no stock
    Column("fulfilment", Text, nullable=False, server_default="ship"),  # ship | digital | dropship
    Column("name", Text, nullable=False, server_default=""),
    Column("delivery_group_id", Id, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("unit_price", Minor, nullable=False),
    Column("line_amount", Minor, nullable=False),  # before adjustments, without tax
    Column("adjustment", Minor, nullable=False),  # at most 0
    Column("tax", Minor, nullable=False),
    Column("tax_category", Text, nullable=False),
    Column("tax_rate", Numeric(9, 6)),
    Column("sold_ahead", Integer, nullable=False, server_default="0"),  # units beyond what was available
    Column("release_at", Instant),  # of a preorder: it is not routed before
    ForeignKeyConstraint(["order_id", "delivery_group_id"], ["delivery_groups.order_id", "delivery_groups.id"]),
)

change_orders = Table(
    "change_orders",
    metadata,
    Column("id", Id, primary_key=True),
    Column("order_id", Id, ForeignKey("orders.id"), nullable=False, index=True),
    Column("seq", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),  # cancel | return
    Column("request_id", Id, nullable=False, unique=True),  # the journaled command
    Column("before_fulfillment", Boolean, nullable=False),
    Column("balances", Document, nullable=False),  # domain.changes.ChangeBalances
    Column("created_at", Instant, nullable=False),
)

change_order_lines = Table(
    "change_order_lines",
    metadata,
    Column("change_order_id", Id, ForeignKey("change_orders.id"), primary_key=True),
    Column("line_id", Id, primary_key=True),
    Column("quantity", Integer, nullable=False),  # units cancelled or returned; 0 for an adjustment
    Column("amount", Minor, nullable=False),  # change of the adjusted amount, without tax; negative
    Column("tax", Minor, nullable=False),
    Column("reason", Text, nullable=False),
)

journal = Table(
    "journal",
    metadata,
    Column("order_id", Id, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("id", Id, nullable=False),
    Column("source", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("time", Instant, nullable=False),
    Column("data", Document, nullable=False),
    Column("cause", Text, nullable=False),  # intake id, or flow name and task pointer
    Index("uq_journal_event", "order_id", "source", "id", unique=True),
)

flow_instances = Table(
    "flow_instances",
    metadata,
    Column("order_id", Id, ForeignKey("orders.id"), primary_key=True),
    Column("instance", Text, primary_key=True),  # id of the starting event, "@", flow hash
    Column("flow", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),  # of the starting event
    Column("status", Text, nullable=False),  # running | faulted | completed | cancelled | moved
    Column("moved", Document),  # contracts.moving.Whereabouts, where it came from another release
    Index("ix_flow_instances_open", "order_id", "seq", postgresql_where="status IN ('running', 'faulted')"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("order_id", Id, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("input_hash", LargeBinary, nullable=False),
    Column("answer", Document, nullable=False),  # ActionDone without the order's header
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("order_id", Id, nullable=False),
    Column("seq", BigInteger, nullable=False),  # of the journal entry to publish
    Column("position", BigInteger, unique=True),  # of the global feed, given by the relay
    Index("ix_outbox_unpublished", "id", postgresql_where="position IS NULL"),
)
