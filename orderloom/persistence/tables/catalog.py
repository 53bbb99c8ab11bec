"""What a deployment is set up with: channels, products, prices, published flows and releases."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from orderloom.persistence.tables.base import Document, Id, Instant, Minor, metadata

channels = Table(
    "channels",
    metadata,
    Column("id", Id, primary_key=True),
    Column("policy", Document, nullable=False),  # domain.channel.ChannelPolicy
    Column("release", Text, ForeignKey("releases.hash")),  # in force for new orders
)

products = Table(
    "products",
    metadata,
    Column("sku", Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("tax_category", Text, nullable=False, server_default="standard"),
    Column("active", Boolean, nullable=False, server_default="true"),
    Column("fulfilment", Text, nullable=False, server_default="ship"),  # ship | digital | dropship
    Column("supplier_id", Id, ForeignKey("locations.id")),  # of a dropship product: the location that sends it
)

prices = Table(
    "prices",
    metadata,
    Column("channel_id", Id, ForeignKey("channels.id"), primary_key=True),
    Column("sku", Id, ForeignKey("products.sku"), primary_key=True),
    Column("currency", Text, primary_key=True),
    Column("amount", Minor, nullable=False),
)

sell_ahead = Table(
    "sell_ahead",
    metadata,
    # What may be sold beyond what is available, or before its release; empty: every channel, or every SKU.
    Column("channel_id", Id, primary_key=True),
    Column("sku", Id, primary_key=True),
    Column("policy", Document, nullable=False),  # domain.sell_ahead.SellAhead
)

sell_ahead_changes = Table(
    "sell_ahead_changes",
    metadata,
    # What policies of selling ahead were before and after each change, and who made it.
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("channel_id", Id, nullable=False),
    Column("sku", Id, nullable=False),
    Column("before", Document),  # domain.sell_ahead.SellAhead; null: there was none
    Column("after", Document),  # null: there is none any more
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_sell_ahead_changes_of", "sku", "channel_id", "number"),
)

flows = Table(
    "flows",
    metadata,
    Column("hash", Text, primary_key=True),  # SHA-256 of the canonical, resolved document
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("document", Document, nullable=False),
    Column("body", LargeBinary, nullable=False),  # deflated canonical JSON, as it enters history
    Column("published_at", Instant, nullable=False),
    Index("uq_flows_version", "name", "version", unique=True),
)

releases = Table(
    "releases",
    metadata,
    Column("position", BigInteger, Identity(always=True), nullable=False),
    Column("hash", Text, primary_key=True),
    Column("pin", Document, nullable=False),  # contracts.messages.ReleasePin
    Column("published_at", Instant, nullable=False),
    Column("sources", Document),  # contracts.flows.ReleaseSources
)

flow_sources = Table(
    "flow_sources",
    metadata,
    Column("kind", Text, primary_key=True),  # flow | layer
    Column("name", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("digest", Text, nullable=False),  # of what it means; a version never gets another one
    Column("file", Text, nullable=False),
    Column("text", Text, nullable=False),  # as its author wrote it
    Column("published_at", Instant, nullable=False),
)

activations = Table(
    "activations",
    metadata,
    Column("channel_id", Id, ForeignKey("channels.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("kind", Text, nullable=False),  # publish | activate | rollback | load
    Column("release", Text, ForeignKey("releases.hash"), nullable=False),
    Column("previous", Text, ForeignKey("releases.hash")),  # in force before
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Instant, nullable=False),
)

routing_policies = Table(
    "routing_policies",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("document", Document, nullable=False),  # domain.routing_policy.RoutingPolicy
    Column("text", Text, nullable=False),  # as its author wrote it
    Column("published_at", Instant, nullable=False),
)

policy_activations = Table(
    "policy_activations",
    metadata,
    Column("channel_id", Id, ForeignKey("channels.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("previous", Text, nullable=False),  # name:version that was in force before
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Instant, nullable=False),
    ForeignKeyConstraint(["name", "version"], ["routing_policies.name", "routing_policies.version"]),
)
