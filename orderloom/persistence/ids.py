"""Ids that are made where rows are first written: time-ordered, so that indexes grow at their end."""

import os
from datetime import datetime
from uuid import UUID


def uuid7(at: datetime) -> str:
    """Return a new UUID version 7 (RFC 9562) for the instant *at*: milliseconds, then 74 random bits."""
    milliseconds = int(at.timestamp() * 1000)
    random = int.from_bytes(os.urandom(10))
    value = milliseconds << 80 | 0x7 << 76 | (random >> 62 & 0xFFF) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    return str(UUID(int=value))
