"""The two double-entry ledgers. Rows are only ever added; each movement's rows sum to zero."""

from sqlalchemy import BigInteger, Column, ForeignKey, Identity, Index, Integer, Table, Text

from orderloom.persistence.tables.base import Id, Minor, metadata

unit_entries = Table(
    "unit_entries",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("order_id", Id, ForeignKey("orders.id"), nullable=False),
    Column("seq", BigInteger, nullable=False),  # journal number of the transaction
    Column("line_id", Id, nullable=False),
    Column("state", Text, nullable=False),  # domain.units.UnitState
    Column("place", Text, nullable=False),  # location group when reserved; location when allocated or later; else ""
    Column("fulfillment_order_id", Id),
    Column("quantity", Integer, nullable=False),
    Column("amount", Minor, nullable=False),  # the units' share of the adjusted amount, without tax
    Column("tax", Minor, nullable=False),
    Index("ix_unit_entries_order", "order_id", "line_id"),
)

money_entries = Table(
    "money_entries",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("order_id", Id, ForeignKey("orders.id"), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("account", Text, nullable=False),  # domain.funds.Account
    Column("payment_id", Id),
    Column("document_id", Id),  # invoice, credit memo or change order
    Column("amount", Minor, nullable=False),
    Index("ix_money_entries_order", "order_id"),
)
