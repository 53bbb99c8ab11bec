"""Process exceptions: what went wrong, for a person to see and act on."""

from sqlalchemy import Column, ForeignKey, Index, Integer, Sequence, Table, Text

from orderloom.persistence.tables.base import Document, Id, Instant, metadata

exception_number = Sequence("exception_number", metadata=metadata, start=1001)
"""The numbers of process exceptions that belong to no order."""

process_exceptions = Table(
    "process_exceptions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("order_id", Id, ForeignKey("orders.id"), index=True),  # null when the order is not known, as in imports
    Column("number", Integer, nullable=False),
    Column("category", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("priority", Text, nullable=False),
    Column("status", Text, nullable=False),  # new | triaged | paused | ignored | voided | resolved
    Column("attached_to", Text),
    Column("flow", Text),  # name and version of the flow that raised it, or what else did
    Column("flow_hash", Text),
    Column("instance", Text),
    Column("task", Text),  # JSON pointer
    Column("error", Document),  # Problem
    Column("input", Document),  # of the task, capped, no free text
    Column("attempts", Integer),
    Column("waiting", Document),  # what the flow that waits can do next; null when none does
    Column("decision", Document),  # what an operator decided
    Column("result", Document),  # what became of undoing the instance
    Column("owner", Text),  # who sees to it
    Column("deadline", Instant),  # when it must be settled
    Column("escalated_at", Instant),  # the deadline passed while it was active
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Index("ix_process_exceptions_open", "created_at", "id", postgresql_where="status IN ('new', 'triaged')"),
    Index("ix_process_exceptions_raised", "created_at", "id"),
    Index(
        "ix_process_exceptions_deadline",
        "deadline",
        postgresql_where="status IN ('new', 'triaged') AND escalated_at IS NULL",
    ),
)

exception_changes = Table(
    "exception_changes",
    metadata,
    Column("exception_id", Id, ForeignKey("process_exceptions.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("changes", Document, nullable=False),  # field to {from, to}; or decided, escalated
    Column("key", Text, nullable=False),  # the intake row or idempotency key that brought it
)
