"""Payments, intents towards the gateway, invoices and credit memos. Balances are in the money ledger."""

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text

from orderloom.persistence.tables.base import Id, Instant, Minor, metadata

payments = Table(
    "payments",
    metadata,
    Column("id", Id, primary_key=True),
    Column("order_id", Id, ForeignKey("orders.id"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("method", Text, nullable=False),  # card | gift_card | account
    Column("gateway", Text, nullable=False),  # "account" captures in our books only
    Column("token", Text),  # the gateway's token of the method; never a card number
    Column("authorization_ref", Text),  # the gateway's id of the authorisation
    Column("amount", Minor, nullable=False),  # what the channel says it covers
    Column("expires_at", Instant),
)

payment_intents = Table(
    "payment_intents",
    metadata,
    Column("id", Id, primary_key=True),  # the gateway's idempotency key
    Column("order_id", Id, ForeignKey("orders.id"), nullable=False, index=True),
    Column("payment_id", Id, ForeignKey("payments.id"), nullable=False),
    Column("operation", Text, nullable=False),  # authorize | capture | refund | reverse
    Column("amount", Minor, nullable=False),
    Column("document_id", Id),  # invoice or credit memo it is for; null for excess and captures at placing
    Column("action_key", Text, nullable=False),  # idempotency key of the action that wrote it
    Column("outcome", Text, nullable=False),  # requested | succeeded | failed | unknown
    Column("reference", Text),  # the gateway's id of what it did
    Column("capture_ref", Text),  # for a refund: the capture it goes back to
    Column("code", Text),
    Column("created_at", Instant, nullable=False),
    Column("settled_at", Instant),
    Index(
        "uq_payment_intents_document",
        "document_id",
        "payment_id",
        "operation",
        "capture_ref",
        "action_key",
        unique=True,
        postgresql_nulls_not_distinct=True,
    ),
    Index("ix_payment_intents_open", "created_at", postgresql_where="outcome IN ('requested', 'unknown')"),
)

invoices = Table(
    "invoices",
    metadata,
    Column("id", Id, primary_key=True),
    Column("order_id", Id, ForeignKey("orders.id"), nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("fulfillment_order_id", Id, ForeignKey("fulfillment_orders.id"), nullable=False),
    Column("amount", Minor, nullable=False),  # without tax
    Column("tax", Minor, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("voided_at", Instant),
    Index(
        "uq_invoices_fulfillment_order_id", "fulfillment_order_id", unique=True, postgresql_where="voided_at IS NULL"
    ),
)

invoice_lines = Table(
    "invoice_lines",
    metadata,
    Column("invoice_id", Id, ForeignKey("invoices.id"), primary_key=True),
    Column("line_id", Id, primary_key=True),
    Column("quantity", Integer, nullable=False),
    Column("amount", Minor, nullable=False),
    Column("tax", Minor, nullable=False),
)

credit_memos = Table(
    "credit_memos",
    metadata,
    Column("id", Id, primary_key=True),
    Column("order_id", Id, ForeignKey("orders.id"), nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("change_order_id", Id, ForeignKey("change_orders.id"), nullable=False, unique=True),
    Column("amount", Minor, nullable=False),  # positive, without tax
    Column("tax", Minor, nullable=False),
    Column("created_at", Instant, nullable=False),
)

credit_memo_lines = Table(
    "credit_memo_lines",
    metadata,
    Column("credit_memo_id", Id, ForeignKey("credit_memos.id"), primary_key=True),
    Column("line_id", Id, primary_key=True),
    Column("quantity", Integer, nullable=False),
    Column("amount", Minor, nullable=False),
    Column("tax", Minor, nullable=False),
)
