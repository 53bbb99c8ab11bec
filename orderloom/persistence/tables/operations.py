"""Process exceptions: what went wrong, for a person to see and act on."""

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text

from orderloom.persistence.tables.base import Document, Id, Instant, metadata

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
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Index("ix_process_exceptions_open", "created_at", "id", postgresql_where="status IN ('new', 'triaged')"),
)
