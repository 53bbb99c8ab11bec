"""Intake: the one way in. Every command and outside event is a row here before anything else happens."""

from sqlalchemy import BigInteger, Column, Identity, Index, LargeBinary, Sequence, SmallInteger, Table, Text

from orderloom.persistence.tables.base import Document, Id, Instant, metadata

order_number = Sequence("order_number", metadata=metadata, start=100_001)
"""The numbers of orders; taken when an order is accepted into intake."""

intake = Table(
    "intake",
    metadata,
    Column("id", Id, primary_key=True),
    Column("position", BigInteger, Identity(always=True), nullable=False, unique=True),
    Column("kind", Text, nullable=False),  # command | event
    Column("type", Text, nullable=False),  # the event type it becomes, such as order.placed
    Column("source", Text, nullable=False),  # channel, location or gateway it came from
    Column("idempotency_key", Text),
    Column("external_id", Text),  # the channel's order number, or the source's event id
    Column("body_hash", LargeBinary, nullable=False),  # SHA-256 of the canonical body
    Column("order_id", Id, nullable=False),
    Column("body", LargeBinary, nullable=False),  # encrypted with the service key of key_id
    Column("key_id", Id, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("business_at", Instant),  # only imports and scenarios set it
    Column("status", Text, nullable=False),  # received | accepted | refused | dead
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("due_at", Instant, nullable=False),  # when the relay may (next) deliver it
    Column("answer", Document),  # Receipt, once there is one
    Index(
        "uq_intake_idempotency",
        "source",
        "idempotency_key",
        unique=True,
        postgresql_where="idempotency_key IS NOT NULL",
    ),
    Index(
        "uq_intake_external", "source", "type", "external_id", unique=True, postgresql_where="external_id IS NOT NULL"
    ),
    Index("ix_intake_undelivered", "due_at", postgresql_where="status = 'received'"),
    Index("ix_intake_dead", "id", postgresql_where="status = 'dead'"),
    Index("ix_intake_order", "order_id", "position"),
)
