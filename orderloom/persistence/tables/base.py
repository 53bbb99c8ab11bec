"""The metadata that all tables share, and column types used everywhere."""

from sqlalchemy import BigInteger, DateTime, MetaData, Text
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = Text
"""Identifiers are text: ours and other systems'."""

Minor = BigInteger
"""An amount in minor units of the order's currency."""

Instant = DateTime(timezone=True)
"""A point in time."""

Document = JSONB
"""A small JSON document without personal data."""
