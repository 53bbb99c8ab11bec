"""Personal data, encrypted. Its keys live in another database (``keys``)."""

from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Index, LargeBinary, MetaData, Table, Text

from orderloom.persistence.tables.base import Id, Instant, metadata

persons = Table(
    "persons",
    metadata,
    Column("id", Id, primary_key=True),
    Column("channel_id", Id, nullable=False),
    Column("lookup", LargeBinary),  # keyed hash of the customer's reference or e-mail; goes with erasure
    Column("service", LargeBinary, nullable=False),  # JSON under the service key
    Column("statutory", LargeBinary, nullable=False),  # JSON under the statutory key: what documents must keep
    Column("created_at", Instant, nullable=False),
    Index("uq_persons_lookup", "channel_id", "lookup", unique=True, postgresql_where="lookup IS NOT NULL"),
)

recipients = Table(
    "recipients",
    metadata,
    # Where a delivery group goes, under its person's keys; the group itself knows country and rough position only.
    Column("order_id", Id, primary_key=True),
    Column("delivery_group_id", Id, primary_key=True),
    Column("person_id", Id, ForeignKey("persons.id"), nullable=False, index=True),
    Column("service", LargeBinary, nullable=False),
    Column("statutory", LargeBinary, nullable=False),
    ForeignKeyConstraint(["order_id", "delivery_group_id"], ["delivery_groups.order_id", "delivery_groups.id"]),
)

keys_metadata = MetaData()
"""Tables of the keys database, apart from the data."""

person_keys = Table(
    "person_keys",
    keys_metadata,
    Column("id", Text, primary_key=True),  # person id, or "deployment"
    Column("service", LargeBinary),  # 256-bit key, wrapped by the deployment's master key; null once erased
    Column("statutory", LargeBinary),
    Column("created_at", Instant, nullable=False),
)
